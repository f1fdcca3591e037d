"""Every shipped manifest: it loads, its pattern reads the documented names, its counts are the documented ones."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from pipeline.datasets.manifest import Manifest, known_datasets, load_manifest
from pipeline.runs.config_loading import presets

FOLDER = Path(__file__).parent.parent / "data_manifests"
DUKE = ("dukemtmc_reid", "occluded_duke", "p_dukemtmc")

# name of a file -> pid, camid (None: the set tells it)
EXAMPLES = {
    "market1501": {
        "0002_c1s1_000451_03.jpg": (2, 1),
        "-1_c6s4_002877_05.jpg": (-1, 6),
        "0000_c3s2_000001_00.jpg": (0, 3),
    },
    "msmt17": {"0000_c14_0030.jpg": (0, 14), "3059_c1s1_000451_03.jpg": (3059, 1)},
    "dukemtmc_reid": {"0001_c2_f0046182.jpg": (1, 2), "7140_c8_f0192000.jpg": (7140, 8)},
    "occluded_duke": {"0001_c2_f0046182.jpg": (1, 2)},
    "partial_reid": {"001_001.jpg": (1, None), "060_005.jpg": (60, None)},
    "partial_ilids": {"1.jpg": (1, None), "119.jpg": (119, None), "007.jpg": (7, None), "12_1.jpg": (12, None)},
    "occluded_reid": {"001_01.tif": (1, None), "200_05.jpg": (200, None), "200_05.png": (200, None)},
    "p_dukemtmc": {"0012_c3_f001.jpg": (12, None), "7_1.jpg": (7, None)},
    "synped": {"0031_c04_000012.jpg": (31, 4)},
    "synped_large": {"0031_c44_000012.jpg": (31, 44)},
    "synped_small": {"0031_c04_000012.jpg": (31, 4)},
    "synped_demo": {"0031_c04_000012.jpg": (31, 4)},
    "synped_abroad": {"0031_c24_000012.jpg": (31, 24)},
    "synped_cut": {"0031_c04_000012.jpg": (31, 4)},
}
STRANGERS = {
    "market1501": [
        "0002_c7s1_000451_03.jpg",
        "-2_c1s1_000451_03.jpg",
        "0002_c1s1_000451_03.png",
        "x0002_c1s1_000451_03.jpg",
    ],
    "msmt17": ["0000_000_01_0303morning_0015_0.jpg", "0000_c114_1.jpg"],
    "occluded_duke": ["0001_c9_f0046182.jpg", "001_c2_f0046182.jpg", "0001_c2_f0046182.jpg.npy"],
    "partial_reid": ["001.jpg", "001_001_1.jpg"],
    "partial_ilids": ["0001001.jpg", "a.jpg"],
    "occluded_reid": ["001_001.jpg", "0001_c1s1_000001_00.jpg"],
}
# images per set in order, junk excluded; identities of train, query, gallery
COUNTS = {
    "market1501": ([12936, 3368, 15913], (751, 750, 751)),
    "msmt17": ([32621, 11659, 82161], (1041, 3060, 3060)),
    "dukemtmc_reid": ([16522, 2228, 17661], (702, 702, 1110)),
    "occluded_duke": ([15618, 2210, 17661], (702, 519, 1110)),
    "partial_reid": ([300, 300, 300], (None, 60, 60)),
    "partial_ilids": ([119, 119], (None, 119, 119)),
    "occluded_reid": ([1000, 1000], (None, 200, 200)),
    "p_dukemtmc": ([2647, 10280, 2163, 9053], (665, 634, 634)),
}


@pytest.fixture(params=known_datasets())
def manifest(request: pytest.FixtureRequest) -> Manifest:
    return load_manifest(request.param)


def test_all_are_there() -> None:
    assert set(known_datasets()) == set(EXAMPLES)


def test_it_loads_under_its_file_name(manifest: Manifest) -> None:
    assert manifest.origin.stem == manifest.name and manifest.licence and manifest.camera_policy
    assert manifest.default_config in presets() and manifest.pattern.startswith("^") and manifest.pattern.endswith("$")


def test_its_pattern_reads_the_documented_names(manifest: Manifest) -> None:
    for name, (pid, camid) in EXAMPLES[manifest.name].items():
        match = manifest.name_pattern.fullmatch(name)
        assert match and int(match["pid"]) == pid
        assert ("camid" in match.groupdict()) == (camid is not None) and (camid is None or int(match["camid"]) == camid)
    for name in STRANGERS.get(manifest.name, ["", "a.jpg", "0001.png"]):
        assert manifest.name_pattern.fullmatch(name) is None


def test_counts(manifest: Manifest) -> None:
    if manifest.rendered:
        return
    images, ids = COUNTS[manifest.name]
    assert [image_set.images for image_set in manifest.set] == images
    assert tuple(manifest.expected_ids.get(split) for split in ("train", "query", "gallery")) == ids
    for image_set in manifest.set:
        assert not image_set.per_camera or sum(image_set.per_camera.values()) == image_set.images


def test_only_market_has_junk_and_distractors(manifest: Manifest) -> None:
    expected = ((-1,), (0,)) if manifest.name == "market1501" else ((), ())
    assert (manifest.junk_pids, manifest.distractor_pids) == expected


def test_cameras_without_a_number_in_the_name_are_0_for_query_and_1_for_gallery(manifest: Manifest) -> None:
    for image_set in manifest.set:
        if image_set.camera is not None and image_set.split != "train":
            assert image_set.camera == (image_set.split == "gallery")


def test_every_protocol_selects_sets_that_exist(manifest: Manifest) -> None:
    prefixes = [image_set.prefix for image_set in manifest.set]
    for protocol in manifest.protocol:
        for prefix in (protocol.query_prefix, protocol.gallery_prefix):
            assert any(own.startswith(prefix) for own in prefixes)


def test_evaluation_only_sets(manifest: Manifest) -> None:
    alone = ("partial_reid", "partial_ilids", "occluded_reid", "synped_abroad", "synped_cut")
    assert manifest.evaluation_only == (manifest.name in alone)


def test_the_style_is_part_of_what_a_manifest_says(manifest: Manifest) -> None:
    if not manifest.rendered:
        return
    own = {"synped_abroad": "abroad", "synped_large": "street"}.get(manifest.name, "home")
    digests = {
        style: dataclasses.replace(manifest, rendered=dataclasses.replace(manifest.rendered, style=style)).digest()
        for style in ("home", "street", "abroad")
    }
    assert len(set(digests.values())) == 3 and manifest.digest() == digests[own]


def test_nobody_is_in_two_rendered_datasets() -> None:
    # A person depends on the seed and the pid. So nobody of the demo was seen by a network that ships.
    every = [load_manifest(name) for name in known_datasets()]
    seeds = {one.roots[0]: one.rendered.seed for one in every if one.rendered}
    assert len(seeds) == 5 and len(set(seeds.values())) == 5


def test_withdrawn_data_has_its_notice_and_no_manifest_a_link(manifest: Manifest) -> None:
    assert ("withdrawn" in manifest.notice and "25 April 2019" in manifest.notice) == (manifest.name in DUKE)
    assert not re.search(r"https?:|www\.|drive\.google|\.zip", manifest.origin.read_text(encoding="utf-8"))
    assert manifest.notice or manifest.rendered


def test_paper_rows_name_their_table_and_numbers(manifest: Manifest) -> None:
    for row in manifest.paper:
        assert row["source"].startswith("Table ") and row["method"] and 0 < row["rank-1"] < 100
        assert set(row) <= {"source", "method", "trained_on", "protocol", "rank-1", "rank-3", "mAP"}


def test_the_annotated_example_is_a_manifest(tmp_path: Path) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    example, base = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    shown, shipped = load_manifest(str(path)), load_manifest("partial_reid")
    assert (shown.pattern, shown.roots, shown.default_labeler) == (
        shipped.pattern,
        shipped.roots,
        shipped.default_labeler,
    )
    path.write_text(base, encoding="utf-8")
    assert load_manifest(str(path)).subset


def test_the_annotated_example_explains_every_key() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in known_datasets():
        for key in tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8")):
            assert key in text, key
