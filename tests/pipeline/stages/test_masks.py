"""The masks stage: what it stores, how it goes on after a crash, and what it says about bad input."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import stamp
from pipeline.config import Config, MasksConfig, Runtime
from pipeline.errors import UserError
from pipeline.labelers.unlabeled import Unlabeled
from pipeline.layout import Paths
from pipeline.manifest import Manifest
from pipeline.records import ImageFile, ImageRecord, write_records
from pipeline.shard_dataset import ShardDataset
from pipeline.shard_index import read_index, verify_shards
from pipeline.shards import ShardReader
from pipeline.stages import masks
from sorn.parts import HEAD, TORSO, UPPER_LEG
from sorn.sample import Status

SIZE = (32, 16)
COUNTS = {"train": 25, "query": 3, "gallery": 4, "labeler": 2}


def make_dataset(tmp_path: Path, counts: dict[str, int] = COUNTS) -> Paths:
    """Images and masks of twice the shards' size, image i of grey 10 i with a person of three parts; and records."""
    root = tmp_path / "data" / "mine"
    rows = []
    for split, count in counts.items():
        for i in range(count):
            name = f"{split}/{i:03d}.png"
            path = root / "images" / name
            mask = np.full((64, 32), TORSO, np.uint8)
            mask[:16], mask[48:] = HEAD, UPPER_LEG
            mask[:, :8] = 0
            for file, pixels in ((path, np.full((64, 32, 3), 10 * i, np.uint8)), (root / "masks" / name, mask)):
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
            rows.append((ImageRecord(name, path, 40 - i % 5, i % 2, split), ImageFile(1, 1, "s", 32, 64)))
    paths = Paths("mine", "ground_truth", tmp_path / "data", tmp_path / "runs")
    write_records(paths.records, rows)
    stamp.write_atomically(paths.data_summary, json.dumps({"root": str(root)}))
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.records], {"records": "r"})
    return paths


@pytest.fixture(autouse=True)
def manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "load_manifest", lambda name: Manifest(name, "Mine"))


def make_config(workers: int = 2, **options: Any) -> Config:
    settings = {"image_size": SIZE, "shard_images": 10, **options}
    return Config(masks=MasksConfig(**settings), runtime=Runtime(workers=workers))


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Recorder(Unlabeled):
    """Labels nothing, remembers whom it was asked for, and dies at the image that `dies_at` names."""

    asked: list[str]
    dies_at = ""

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Any]:
        Recorder.asked += [record.name for record in records]
        if Recorder.dies_at in Recorder.asked:
            raise RuntimeError("the labeler died")
        return super().label(records, images)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    Recorder.asked, Recorder.dies_at = [], ""
    monkeypatch.setattr(masks, "LABEL_BATCH", 5)
    kinds = {"ground_truth": Recorder, "none": Unlabeled}
    monkeypatch.setattr(masks.labelers, "create", lambda name, options, source: kinds[name](options, source))
    return Recorder


def test_images_and_masks_are_stored_at_shard_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = make_dataset(tmp_path)
    assert masks.run(make_config(), paths, "f") == paths.shard_index
    index = read_index(paths.shard_index)
    assert {split: entry.count for split, entry in index.splits.items()} == {"train": 25, "query": 3, "gallery": 4}
    assert [entry.count for entry in index.shards if entry.split == "train"] == [10, 10, 5]
    assert index.pids == (36, 37, 38, 39, 40)
    assert index.labeler["name"] == "ground_truth"
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


def test_the_result_does_not_depend_on_workers(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    trees = []
    for workers in (0, 3):
        masks.run(make_config(workers), paths, "f")
        trees.append(tree(paths.folder("masks")))
        shutil.rmtree(paths.folder("masks"))
    assert trees[0] == trees[1]


def test_provided_digests_are_of_the_content_alone(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    masks.run(make_config(), paths, "f")
    first = masks.provides(paths)
    assert set(first) == {"train", "query", "gallery"}
    imported = dataclasses.replace(paths, labeler="import")
    folder = tmp_path / "data" / "mine" / "masks"
    masks.run(make_config(shard_images=7, options={"folder": str(folder), "table": "sorn8"}), imported, "g")
    assert masks.provides(imported) == first
    masks.run(make_config(splits=("train", "query")), paths, "h")
    assert {split for split, digest in masks.provides(paths).items() if digest != first[split]} == {"query"}


def test_a_crash_keeps_finished_shards_and_the_rest_is_done_later(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    recorder.dies_at = "train/017.png"
    with pytest.raises(RuntimeError, match="the labeler died"):
        masks.run(make_config(), paths, "f")
    assert list(tree(paths.folder("masks"))) == ["train/shard-00000.h5"]
    recorder.asked, recorder.dies_at = [], ""
    masks.run(make_config(), paths, "f")
    assert recorder.asked == [f"train/{i:03d}.png" for i in range(10, 25)]
    resumed = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    masks.run(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == resumed


def test_a_damaged_shard_is_written_again(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    masks.run(make_config(), paths, "f")
    whole = tree(paths.folder("masks"))
    first, second, third = (paths.shard("train", number) for number in range(3))
    first.write_bytes(first.read_bytes()[:5000])
    changed = bytearray(second.read_bytes())
    changed[8000] ^= 1
    second.write_bytes(bytes(changed))
    recorder.asked = []
    masks.run(make_config(), paths, "f")
    assert recorder.asked == [f"train/{i:03d}.png" for i in range(20)] and third.exists()
    assert tree(paths.folder("masks")) == whole


def test_another_fingerprint_replaces_everything_and_leaves_nothing_over(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    masks.run(make_config(shard_images=4), paths, "f")
    (paths.folder("masks") / "train" / "shard-00099.h5.tmp").touch()
    masks.run(make_config(), paths, "g")
    files = sorted(path.name for path in (paths.folder("masks") / "train").iterdir())
    assert files == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]
    assert {ShardReader(paths.shard("train", i)).fingerprint for i in range(3)} == {"g"}
    assert sorted(masks.outputs(paths)) == sorted(p for p in paths.folder("masks").rglob("*") if p.is_file())


def test_what_fails_before_a_shard_is_replaced_leaves_the_old_run(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    masks.run(make_config(), paths, "f")
    before = tree(paths.folder("masks"))
    recorder.asked, recorder.dies_at = [], "train/003.png"
    with pytest.raises(RuntimeError, match="the labeler died"):
        masks.run(make_config(), paths, "g")
    assert tree(paths.folder("masks")) == before


def test_a_few_unreadable_images_are_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = make_dataset(tmp_path)
    bad = tmp_path / "data" / "mine" / "images" / "train" / "004.png"
    bad.write_bytes(bad.read_bytes()[:70])
    masks.run(make_config(), paths, "f")
    assert "1 of 32 images (train/004.png) cannot be read and will be left out" in capsys.readouterr().out
    data = ShardDataset(paths.shard_index, "train")
    assert len(data) == 24 and data.unreadable == ["train/004.png"]
    for number in (5, 6):
        (tmp_path / "data" / "mine" / "images" / "train" / f"{number:03d}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"3 of 32 images \(train/004\.png, .*\) cannot be read\. Copy them again"):
        masks.run(make_config(), paths, "g")


def test_a_missing_mask_stops_before_any_work(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    (tmp_path / "data" / "mine" / "masks" / "train" / "011.png").unlink()
    with pytest.raises(UserError, match=r"1 of 25 images of mine have no mask, first .*train/011\.png"):
        masks.run(make_config(), paths, "f")
    assert not paths.folder("masks").exists()


def test_a_full_disk_is_refused_early_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_dataset(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 10_000})())
        with pytest.raises(UserError, match=r"masks needs 0\.1 MB, but only 0\.0 MB are free there"):
            masks.run(make_config(), paths, "f")
    assert not paths.folder("masks").exists()

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(UserError, match=r"disk is full: .*shard-00000\.h5 could not be written"):
        masks.run(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == {}


def test_inputs_and_settings(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    config = make_config()
    before = masks.inputs(config, paths)
    assert before["records"] == "r" and set(before) == {"records", "mask files"}
    (tmp_path / "data" / "mine" / "masks" / "query" / "000.png").unlink()
    assert masks.inputs(config, paths) == before, "query is not labelled, its masks do not count"
    (tmp_path / "data" / "mine" / "masks" / "train" / "000.png").unlink()
    assert masks.inputs(config, paths)["mask files"] != before["mask files"]
    assert masks.settings(make_config(workers=7), paths) == masks.settings(config, paths)
    assert masks.settings(make_config(image_size=(64, 32)), paths) != masks.settings(config, paths)
    assert json.loads(json.dumps(masks.settings(config, paths))) == masks.settings(config, paths)


def test_what_cannot_be_done(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    with pytest.raises(UserError, match=r"masks\.splits names 'tarin', which is no split\. Known: train, val_query"):
        masks.run(make_config(splits=("tarin",)), paths, "f")
    with pytest.raises(UserError, match="labeler 'densepose' is not part of this version yet"):
        masks.settings(make_config(), dataclasses.replace(paths, labeler="densepose"))
    shutil.rmtree(paths.folder("data"))
    with pytest.raises(UserError, match=r"the data stage has not finished in .*Run: make data DATASET="):
        masks.inputs(make_config(), paths)


def test_evaluation_only_data_needs_no_labels(tmp_path: Path) -> None:
    paths = dataclasses.replace(make_dataset(tmp_path, {"query": 2, "gallery": 3}), labeler="none")
    masks.run(make_config(), paths, "f")
    index = read_index(paths.shard_index)
    assert index.pids == () and set(index.splits) == {"query", "gallery"}
    assert index.splits["gallery"].status == {"unlabeled": 3}
