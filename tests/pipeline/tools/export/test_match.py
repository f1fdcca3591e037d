"""match.py beside an export: numpy alone gives the similarities of an evaluation."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from pipeline.features.store import write_bank, write_banks
from pipeline.runs.result_paths import Exported
from pipeline.tools.export import match
from pipeline.tools.export.export import write_match
from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.engine import extract_features
from sorn.export import ExportedNetwork
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.network import SORN
from sorn.rules import Rule

FORMATS = Path(__file__).parents[4] / "docs" / "formats.md"


def bank(count: int, seed: int, parts: bool = False) -> FeatureBank:
    rng = np.random.default_rng(seed)
    ids = np.arange(count)
    whole, local = (rng.normal(size=shape).astype(np.float32) for shape in ((count, 48), (count, 3, 32)))
    visibility = rng.choice(np.array([0, 0.15, 0.3, 1], np.float32), (count, 3))  # 0.15: just visible
    if not parts:
        return FeatureBank(whole, local, visibility, ids, ids, ids.astype(str))
    groups, shares = rng.normal(size=(count, 4, 16)), rng.choice([0, 0.005, 0.02], (count, 4))
    more = groups.astype(np.float32), shares.astype(np.float32)
    return FeatureBank(whole, local, visibility, ids, ids, ids.astype(str), None, None, *more)


def outputs(own: FeatureBank) -> dict[str, np.ndarray]:
    """What the exported network gives: branches that are off are not there."""
    named = {"global": own.global_, "local": own.local, "visibility": own.visibility}
    return {name: array for name, array in named.items() if array.shape[1]}


def of_the_program(query: FeatureBank, gallery: FeatureBank, rule: Rule) -> np.ndarray:
    return np.concatenate([block.copy() for _, (block,) in similarity_blocks(query, gallery, [rule])])


@pytest.mark.parametrize("tau", [0.0, 0.15, 0.5])
@pytest.mark.parametrize("off", ["", "global", "local"])
def test_it_gives_the_similarities_of_an_evaluation(tau: float, off: str) -> None:
    query, gallery = bank(30, 1), bank(50, 2)
    if off == "global":
        query, gallery = (dataclasses.replace(one, global_=one.global_[:, :0]) for one in (query, gallery))
    if off == "local":
        query, gallery = (
            dataclasses.replace(one, local=one.local[:, :0], visibility=one.visibility[:, :0])
            for one in (query, gallery)
        )
    expected = of_the_program(query, gallery, Rule("global" if off == "local" else "sorn", tau))
    found = match.similarity(outputs(query), outputs(gallery), tau)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert (off == "global" and tau > 0) == bool((found == -1).any())  # pairs with nothing in common


@pytest.mark.parametrize(
    ("variant", "left_out", "options"),
    [
        ("global", {"local"}, {}),
        ("global+local", set(), {"tau": 0.0}),
        ("sorn", set(), {"tau": 0.15}),
        ("parts", {"local"}, {"part_tau": 0.005}),
        ("sorn+parts", set(), {"tau": 0.15, "part_tau": 0.005}),
    ],
)
def test_every_variant_of_a_network_with_a_part_branch(
    tmp_path: Path, variant: str, left_out: set[str], options: dict[str, float]
) -> None:
    """From the features.h5 of an evaluation, which has the features of the part groups."""
    query, gallery = bank(20, 7, parts=True), bank(30, 8, parts=True)
    for name, own in (("q", query), ("g", gallery)):
        write_bank(tmp_path / f"{name}.h5", own, {})
    with h5py.File(tmp_path / "q.h5") as one, h5py.File(tmp_path / "g.h5") as other:
        sides = [
            {name: array[()] for name, array in file["images"].items() if name not in left_out} for file in (one, other)
        ]
    found = match.similarity(*sides, **options)
    np.testing.assert_allclose(found, of_the_program(query, gallery, Rule(variant, 0.15, 0.005)), rtol=0, atol=1e-6)


def test_means_over_mirror_images_give_the_similarities_of_an_evaluation_with_flip() -> None:
    torch.manual_seed(0)
    network = SORN(SORNConfig(backbone="resnet18", stripes=2, set_channels=8, semantic_channels=8)).eval()
    images = torch.randint(0, 256, (6, 64, 32, 3), dtype=torch.uint8)
    exported = ExportedNetwork(network)
    with torch.inference_mode():
        plain, mirrored = exported(images), exported(images.flip(2))
    means = {name: ((plain[name] + mirrored[name]) / 2).numpy() for name in plain}
    ids = torch.arange(6)
    batch = Batch(images, torch.zeros(images.shape[:3], dtype=torch.uint8), ids, ids, ids < 0)
    features = extract_features(network, [batch], torch.device("cpu"), "fp32", flip=True)
    own = FeatureBank.of(features, ids.numpy(), ids.numpy(), ids.numpy().astype(str))
    found = match.similarity(means, means)
    np.testing.assert_allclose(found, of_the_program(own, own, Rule("sorn", 0.15)), rtol=0, atol=1e-6)
    np.testing.assert_raises(AssertionError, np.testing.assert_allclose, plain["global"], means["global"], atol=1e-3)


def test_it_reads_a_feature_bank(tmp_path: Path) -> None:
    query, gallery = bank(4, 3), bank(6, 4)
    for name, own in (("q", query), ("g", gallery)):
        write_bank(tmp_path / f"{name}.h5", own, {})
    with h5py.File(tmp_path / "q.h5") as one, h5py.File(tmp_path / "g.h5") as other:
        found = match.similarity(one["images"], other["images"])
    np.testing.assert_allclose(found, of_the_program(query, gallery, Rule("sorn", 0.15)), rtol=0, atol=1e-6)


def test_the_lines_of_the_page_for_queries_with_two_views(tmp_path: Path) -> None:
    """docs/formats.md: the larger similarity counts."""
    gallery = bank(6, 4)
    query = bank(5, 3).with_second(np.array([1, 4]), bank(2, 7).features)
    attrs = {"fingerprint": "f", "checkpoint_sha256": "c", "config": "{}"}
    write_banks(tmp_path / "features.h5", query, gallery, attrs)
    lines = FORMATS.read_text(encoding="utf-8").partition("Where the file has a group `placed`")[2]
    with h5py.File(tmp_path / "features.h5") as file:
        names = {"file": file, "similarity": match.similarity, "np": np}
        exec(lines.partition("```python")[2].partition("```")[0], names)
    np.testing.assert_allclose(names["found"], of_the_program(query, gallery, Rule("sorn", 0.15)), rtol=0, atol=1e-6)


def test_the_file_stands_alone_with_the_threshold_of_the_export(tmp_path: Path) -> None:
    files = Exported(tmp_path / "export")
    write_match(files, 0.3)
    query, gallery = bank(5, 5), bank(7, 6)
    np.savez(tmp_path / "q.npz", **outputs(query))
    np.savez(tmp_path / "g.npz", **outputs(gallery))
    code = (
        "import sys, numpy as np; sys.path.insert(0, 'export'); import match; "
        "found = match.similarity(np.load('q.npz'), np.load('g.npz')); np.save('found.npy', found); "
        "sys.exit(any(name.split('.')[0] in ('torch', 'pipeline', 'sorn') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = of_the_program(query, gallery, Rule("sorn", 0.3))
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, rtol=0, atol=1e-6)


def test_the_worked_example_of_the_pages() -> None:
    """docs/formats.md prints vectors and similarities; match.py and the program agree with them."""
    text = FORMATS.read_text(encoding="utf-8").partition("## Similarity")[2]
    rows = dict(re.findall(r"^(query|gallery) +(.*)$", text, re.MULTILINE))

    def read(line: str) -> FeatureBank:
        whole, local, scores = (
            [[float(number) for number in part.split()] for part in field.split(";")] for field in line.split("|")
        )
        arrays = [np.array(values, np.float32) for values in (whole, [local], scores)]
        return FeatureBank(*arrays, np.array([1]), np.array([1]), np.array(["image"]))

    query, gallery = read(rows["query"]), read(rows["gallery"])
    printed = re.findall(r"^tau (\S+) +D = (\S+)$", text, re.MULTILINE)
    assert len(printed) == 3
    for tau, similarity in printed:
        found = match.similarity(outputs(query), outputs(gallery), float(tau))
        np.testing.assert_allclose(found, float(similarity), atol=5e-7)
        np.testing.assert_allclose(of_the_program(query, gallery, Rule("sorn", float(tau))), found, atol=1e-6)
