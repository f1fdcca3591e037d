"""The int8 network of a training: made once, from images that trained it, and refused in words."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from eval_runs import GALLERY, QUERY, images, write_run, write_shards
from int8_stand_in import VERSIONS, use_stand_in

from pipeline.errors import UserError
from pipeline.features.int8 import prepare, record
from pipeline.features.int8.network import Int8Network
from pipeline.features.int8.prepare import prepared
from pipeline.features.int8.record import find_record, record_text
from pipeline.io.files import digest_file, write_text
from pipeline.runs import layout
from pipeline.runs.checkpoint_info import describe
from pipeline.runs.layout import Paths
from sorn.sample import Status

TRAIN = images("train", [(pid, camid) for pid in range(300, 340) for camid in (1, 2)])
VAL = {
    "val_query": images("val_query", [(pid, 1) for pid in range(200, 212)]),
    "val_gallery": images("val_gallery", [(pid, camid) for pid in range(200, 212) for camid in (1, 2)]),
}
TEST = {"query": QUERY, "gallery": GALLERY}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    return use_stand_in(monkeypatch)


def get(paths: Paths) -> prepare.StoredInt8:
    folder = paths.folder("train")
    return prepared(folder, describe(folder), digest_file(paths.checkpoint))


def test_it_is_made_of_training_images_once_and_compared_on_val(paths, seen):
    write_run(paths, {**TEST, **VAL, "train": TRAIN})
    found = get(paths)
    assert found.graph == paths.folder("train") / "int8" / "network.xml" and found.graph.is_file()
    assert len(seen) == 1 and len(seen[0]) == found.record.images == len(TRAIN)
    assert np.array_equal(seen[0], np.stack([one.image for one in TRAIN]))
    made, comparison = found.record, found.record.comparison
    assert (made.source, made.packages) == ("synped_demo-ground_truth, split train", VERSIONS)
    assert (comparison.queries, comparison.gallery_images, comparison.persons) == (12, 24, 12)
    assert comparison.variant == "sorn" and 0 < comparison.distance < 0.2 and comparison.rank1[0] > 0.5
    assert "on 12 queries of val (one is 8.33 points), variant sorn, beside fp32: rank-1" in record_text(made)
    assert get(paths) == found and len(seen) == 1
    assert not list(paths.folder("train").glob("*.tmp"))


def test_many_images_are_taken_evenly(paths, seen, monkeypatch):
    monkeypatch.setattr(prepare, "IMAGES", 64)
    write_run(paths, {**TEST, "train": TRAIN})
    made = get(paths).record
    assert made.images == len(seen[0]) == 64 and np.array_equal(seen[0][-1], TRAIN[-1].image)
    assert made.comparison is None and record_text(made).endswith("the dataset has no validation split")


def test_another_checkpoint_has_another_one(paths, seen):
    write_run(paths, {**TEST, "train": TRAIN})
    first = get(paths)
    folder = paths.folder("train")
    (first.graph.parent / "calibration.json").write_text('{"int8": "of the first one"}')
    again = prepared(folder, describe(folder), "another digest")
    assert len(seen) == 2 and again.record.checkpoint_sha256 == "another digest"
    assert not (first.graph.parent / "calibration.json").exists()


def test_a_damaged_one_is_named_and_the_remedy_makes_it_again(paths, seen):
    write_run(paths, {**TEST, "train": TRAIN})
    folder = get(paths).graph.parent
    write_text(folder / "network.bin", "cut off")
    with pytest.raises(
        UserError, match=r"network.bin is missing or was changed.*Delete .*int8.json: the next"
    ) as refused:
        get(paths)
    assert str(folder / "int8.json") in refused.value.remedy
    (folder / "int8.json").unlink()
    assert get(paths).record.digest and len(seen) == 2
    write_text(folder / "int8.json", '{"schema_version": 1}')
    with pytest.raises(UserError, match=r"int8.json does not describe an int8 network: checkpoint_sha256 is missing"):
        get(paths)


def test_a_copy_without_shards_keeps_its_int8_network(paths, seen, tmp_path):
    write_run(paths, {**TEST, "train": TRAIN})
    get(paths)
    shutil.copytree(paths.folder("train"), tmp_path / "box" / "mine")
    shutil.rmtree(paths.folder("masks"))
    folder = tmp_path / "box" / "mine"
    assert prepared(folder, describe(folder), digest_file(paths.checkpoint)).graph.parent == folder / "int8"
    shutil.rmtree(folder / "int8")
    with pytest.raises(UserError, match=r"index.json is not there, nor is .*int8. Copy one of them"):
        prepared(folder, describe(folder), digest_file(paths.checkpoint))


def test_a_network_that_ships_has_no_images(paths, seen, monkeypatch):
    write_run(paths, {**TEST, "train": TRAIN})
    folder = paths.folder("train").rename(paths.folder("train").with_name("mine"))
    monkeypatch.setattr(layout, "SHIPPED_DIR", folder.parent)
    with pytest.raises(UserError, match=r"'mine' ships without the images .* make train INIT=mine; or take"):
        prepared(folder, describe(folder), "digest")


@pytest.mark.parametrize(
    ("train", "wrong"),
    [(TRAIN[:10], "has 10 training images, and int8 takes its ranges from 64 or more"), ([], "no split 'train'")],
)
def test_too_few_images_are_refused(paths, seen, train, wrong):
    write_run(paths, {**TEST, **({"train": train} if train else {})})
    with pytest.raises(UserError, match=wrong):
        get(paths)
    assert not seen and not (paths.folder("train") / "int8").exists()


def test_unreadable_images_do_not_count(paths, seen):
    broken = [dataclasses.replace(one, status=Status.UNREADABLE) for one in TRAIN[:20]]
    write_run(paths, {**TEST, "train": [*broken, *TRAIN[20:]]})
    with pytest.raises(UserError, match="has 60 training images"):
        get(paths)


def test_shards_of_another_size_are_refused(paths, seen):
    write_run(paths, {**TEST, "train": TRAIN})
    text = paths.train_config.read_text().replace("64", "96")
    write_text(paths.train_config, text)
    with pytest.raises(UserError, match=r"has images of 64x32, and the network in .* was trained on 96x32"):
        get(paths)


def test_its_calibration_stays_with_the_same_network_alone(paths, seen):
    write_run(paths, {**TEST, "train": TRAIN})
    made, calibration = get(paths).record, paths.int8_calibration
    for digest, there in ((made.digest, True), ("another", False)):
        write_text(calibration, f'{{"int8": "{digest}"}}')
        (calibration.parent / "int8.json").unlink()
        assert get(paths).record.digest == made.digest and calibration.exists() == there


def test_of_two_that_make_it_the_first_one_counts(paths, seen, monkeypatch):
    write_run(paths, {**TEST, "train": TRAIN})
    made = prepare.quantise

    def slower(*given):
        with monkeypatch.context() as patch:
            patch.setattr(prepare, "quantise", made)
            patch.setattr("os.getpid", lambda: 1)
            get(paths)
        write_text(paths.int8_calibration, "of the first one")
        return made(*given)

    monkeypatch.setattr(prepare, "quantise", slower)
    get(paths)
    assert len(seen) == 2 and paths.int8_calibration.read_text() == "of the first one"
    assert not list(paths.folder("train").glob("int8.*"))


def test_a_quantisation_that_fails_leaves_nothing(paths, seen, monkeypatch):
    write_run(paths, {**TEST, "train": TRAIN})
    monkeypatch.setattr(prepare, "quantise", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        get(paths)
    assert not list(paths.folder("train").glob("int8*"))


def test_missing_packages_are_named(paths, monkeypatch):
    write_run(paths, {**TEST, "train": TRAIN})
    monkeypatch.setattr(record, "version", lambda name: "")
    with pytest.raises(
        UserError, match=r"lacks: openvino, nncf. In the project's folder, type: pip install -e '.\[int8"
    ):
        get(paths)
    with pytest.raises(UserError, match=r"lacks: openvino. In"):
        Int8Network(Path("network.xml"), {})


def test_a_ready_one_needs_no_packages_until_it_runs(paths, monkeypatch):
    write_run(paths, {**TEST, "train": TRAIN})
    with monkeypatch.context() as patch:
        use_stand_in(patch)
        found = get(paths)
    monkeypatch.setattr(record, "version", lambda name: "")
    assert get(paths) == found


def test_without_a_match_nothing_is_compared(paths, seen):
    lonely = {**VAL, "val_gallery": images("val_gallery", [(pid, 2) for pid in range(400, 404)])}
    write_run(paths, {**TEST, **lonely, "train": TRAIN})
    made = get(paths).record
    assert made.note == "not compared with fp32: no query of val has a match in its gallery"
    assert find_record(paths.folder("train") / "int8", made.checkpoint_sha256) == made


def test_changed_masks_do_not_matter(paths, seen):
    write_run(paths, {**TEST, "train": TRAIN})
    first = get(paths)
    write_shards(paths, {**TEST, "train": TRAIN[:70]})
    assert get(paths) == first
