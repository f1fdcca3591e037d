"""The masks stage: what it stores, and what it says about bad input."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from mask_runs import SIZE, make_config, make_dataset, outputs_of, provided_by, tree, work

from pipeline.errors import UserError
from pipeline.runs.inputs import OUTSIDE
from pipeline.runs.run import Run
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.index import read_index, verify_shards
from pipeline.stages import masks
from sorn.parts import HEAD, TORSO, UPPER_LEG
from sorn.sample import Status

pytestmark = pytest.mark.usefixtures("mine")


def test_images_and_masks_are_stored_at_shard_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = make_dataset(tmp_path)
    assert work(make_config(), paths, "f") == paths.shard_index
    index = read_index(paths.shard_index)
    assert {split: entry.count for split, entry in index.splits.items()} == {"train": 25, "query": 3, "gallery": 4}
    assert [entry.count for entry in index.shards if entry.split == "train"] == [10, 10, 5]
    assert index.pids == (36, 37, 38, 39, 40)
    assert index.labeler.name == "ground_truth"
    data = ShardDataset(paths.shard_index, "train")
    sample = data[7]
    assert (sample.name, sample.pid, sample.camid, sample.status) == ("train/007.png", 38, 1, Status.OK)
    assert (sample.image == 70).all()
    expected = np.full(SIZE, TORSO, np.uint8)
    expected[:8], expected[24:], expected[:, :4] = HEAD, UPPER_LEG, 0
    assert np.array_equal(sample.mask, expected)
    assert {s.status for s in map(ShardDataset(paths.shard_index, "query").__getitem__, range(3))} == {Status.UNLABELED}
    verify_shards(paths.shard_index)
    out = capsys.readouterr().out
    assert "train              25 images: 25 ok; 75% of their pixels show the person" in out
    assert "query               3 images: 3 unlabeled" in out
    assert re.search(r"masks: 25 images labelled, [\d.]+ per CPU second; \d+ MB of memory at most", out)


def test_the_result_does_not_depend_on_workers(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    trees = []
    for workers in (0, 3):
        work(make_config(workers), paths, "f")
        trees.append(tree(paths.folder("masks")))
        shutil.rmtree(paths.folder("masks"))
    assert trees[0] == trees[1]


def test_provided_digests_are_of_the_content_alone(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    first = provided_by(paths)
    assert set(first) == {"train", "query", "gallery"}
    imported = dataclasses.replace(paths, labeler="import")
    folder = tmp_path / "data" / "mine" / "masks"
    work(make_config(shard_images=7, options={"folder": str(folder), "table": "sorn8"}), imported, "g")
    assert provided_by(imported) == first
    work(make_config(splits=("train", "query")), paths, "h")
    assert {split for split, digest in provided_by(paths).items() if digest != first[split]} == {"query"}


def test_a_few_unreadable_images_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = make_dataset(tmp_path)
    bad = tmp_path / "data" / "mine" / "images" / "train" / "004.png"
    bad.write_bytes(bad.read_bytes()[:70])
    work(make_config(), paths, "f")
    assert "1 of 32 images (train/004.png) cannot be read and will be left out" in capsys.readouterr().out
    data = ShardDataset(paths.shard_index, "train")
    assert len(data) == 24 and data.unreadable == ["train/004.png"]
    for number in (5, 6):
        (tmp_path / "data" / "mine" / "images" / "train" / f"{number:03d}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"3 of 32 images \(train/004\.png, .*\) cannot be read\. Copy them again"):
        work(make_config(), paths, "g")


def test_a_missing_mask_stops_before_any_work(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    (tmp_path / "data" / "mine" / "masks" / "train" / "011.png").unlink()
    with pytest.raises(UserError, match=r"1 of 25 images of mine have no mask, first .*train/011\.png"):
        work(make_config(), paths, "f")
    assert not paths.folder("masks").exists()


def test_inputs_and_settings(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    config = make_config()
    before = masks.inputs(Run.of(config, paths))
    assert [(given.stage, given.key) for given in before] == [("data", "records"), (OUTSIDE, "mask files")]
    assert before[0].digest == "r"
    (tmp_path / "data" / "mine" / "masks" / "query" / "000.png").unlink()
    assert masks.inputs(Run.of(config, paths)) == before, "query is not labelled, its masks do not count"
    (tmp_path / "data" / "mine" / "masks" / "train" / "000.png").unlink()
    assert masks.inputs(Run.of(config, paths)) != before
    assert masks.settings(Run.of(make_config(workers=7), paths)) == masks.settings(Run.of(config, paths))
    assert masks.settings(Run.of(make_config(image_size=(64, 32)), paths)) != masks.settings(Run.of(config, paths))
    assert json.loads(json.dumps(masks.settings(Run.of(config, paths)))) == masks.settings(Run.of(config, paths))


def test_what_cannot_be_done(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    with pytest.raises(UserError, match=r"masks\.splits names 'tarin', which is no split\. Known: train, val_query"):
        work(make_config(splits=("tarin",)), paths, "f")
    with pytest.raises(UserError, match=r"unknown keypoint finder 'joint'; known: blazepose, joints"):
        masks.settings(Run.of(make_config(keypoints="joint"), paths))
    shutil.rmtree(paths.folder("data"))
    with pytest.raises(UserError, match=r"the data stage of mine has not finished: .*Run: make data DATASET="):
        masks.inputs(Run.of(make_config(), paths))


def test_the_stage_ends_with_a_label_report(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    files = outputs_of(paths)
    assert {paths.label_report_json, paths.label_report_md, *paths.label_pictures.iterdir()} <= set(files)
    assert all(path.is_file() for path in files) and "mIoU" in paths.label_report_md.read_text()


def test_evaluation_only_data_needs_no_labels(tmp_path: Path) -> None:
    paths = dataclasses.replace(make_dataset(tmp_path, {"query": 2, "gallery": 3}), labeler="none")
    work(make_config(), paths, "f")
    index = read_index(paths.shard_index)
    assert index.pids == () and set(index.splits) == {"query", "gallery"}
    assert index.splits["gallery"].status == {"unlabeled": 3}
