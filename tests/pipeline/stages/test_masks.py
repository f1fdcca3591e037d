"""The masks stage: what it stores, how it goes on after a crash, and what it says about bad input."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageFile, ImageRecord, write_records
from pipeline.errors import UserError
from pipeline.io.files import write_text
from pipeline.io.images import decode
from pipeline.labelers import keypoints
from pipeline.labelers.base import Labeled
from pipeline.labelers.unlabeled import Unlabeled
from pipeline.runs import run, stamp
from pipeline.runs.config import Config, MasksConfig, Runtime
from pipeline.runs.inputs import OUTSIDE, Input
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.run import Run
from pipeline.runtime import distributed
from pipeline.shards import labeling
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.format import ShardReader
from pipeline.shards.index import read_index, verify_shards
from pipeline.stages import driver, masks
from sorn.parts import HEAD, TORSO, UPPER_LEG
from sorn.sample import JOINTS, Status

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
    write_text(paths.data_summary, json.dumps({"root": str(root)}))
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.records], {"records": "r"})
    return paths


@pytest.fixture(autouse=True)
def manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_manifest", lambda name: Manifest(name, "Mine"))


def make_config(workers: int = 2, **options: Any) -> Config:
    settings = {"image_size": SIZE, "shard_images": 10, **options}
    return Config(masks=MasksConfig(**settings), runtime=Runtime(workers=workers))


def work(config: Config, paths: Paths, fingerprint: str) -> Path:
    return driver.work(masks, Run.of(config, paths), fingerprint)  # type: ignore[arg-type]


def provided_by(paths: Paths) -> dict[str, str]:
    return masks.provides(Run.of(Config(), paths))


def outputs_of(paths: Paths) -> list[Path]:
    return masks.outputs(Run.of(Config(), paths))


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Recorder(Unlabeled):
    """Labels nothing, remembers whom it was asked for, and dies at the image that `dies_at` names."""

    asked: list[str]
    dies_at = ""

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Any]:
        names = [record.name for record in records]
        Recorder.asked += names
        if Recorder.dies_at in names:
            raise RuntimeError("the labeler died")
        return super().label(records, images)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    Recorder.asked, Recorder.dies_at = [], ""
    for name in ("LARGEST_BATCH", "SMALLEST_BATCH"):
        monkeypatch.setattr(labeling, name, 5)
    kinds = {"ground_truth": Recorder, "none": Unlabeled}
    monkeypatch.setattr(labelers, "create", lambda name, options, source: kinds[name](options, source))
    return Recorder


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


def test_a_crash_keeps_finished_shards_and_the_rest_is_done_later(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    recorder.dies_at = "train/017.png"
    with pytest.raises(RuntimeError, match="the labeler died"):
        work(make_config(), paths, "f")
    assert list(tree(paths.folder("masks"))) == ["train/shard-00000.h5"]
    recorder.asked, recorder.dies_at = [], ""
    work(make_config(), paths, "f")
    assert sorted(recorder.asked) == [f"train/{i:03d}.png" for i in range(10, 25)]
    resumed = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == resumed


def test_a_damaged_shard_is_written_again(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    whole = tree(paths.folder("masks"))
    first, second, third = (paths.shard("train", number) for number in range(3))
    first.write_bytes(first.read_bytes()[:5000])
    changed = bytearray(second.read_bytes())
    changed[8000] ^= 1
    second.write_bytes(bytes(changed))
    recorder.asked = []
    work(make_config(), paths, "f")
    assert sorted(recorder.asked) == [f"train/{i:03d}.png" for i in range(20)] and third.exists()
    assert tree(paths.folder("masks")) == whole


def test_a_shard_that_another_program_holds_open_is_not_written_again(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    whole, path = tree(paths.folder("masks")), paths.shard("train", 1)
    before = path.read_bytes()
    leave_open = "import h5py, os, sys\nfile = h5py.File(sys.argv[1], 'r+')\nfile.flush()\nos._exit(9)"  # as if killed
    subprocess.run([sys.executable, "-c", leave_open, str(path)], check=False)
    held, recorder.asked = path.read_bytes(), []
    with pytest.raises(UserError, match=r"shard-00001\.h5 is open for writing in another program.* h5clear -s"):
        work(make_config(), paths, "f")
    assert path.read_bytes() == held != before and recorder.asked == []
    path.write_bytes(before)  # as h5clear does
    work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == whole and recorder.asked == []


def test_another_fingerprint_replaces_everything_and_leaves_nothing_over(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(shard_images=4), paths, "f")
    (paths.folder("masks") / "train" / "shard-00099.h5.tmp").touch()
    work(make_config(), paths, "g")
    files = sorted(path.name for path in (paths.folder("masks") / "train").iterdir())
    assert files == ["shard-00000.h5", "shard-00001.h5", "shard-00002.h5"]
    assert {ShardReader(paths.shard("train", i)).fingerprint for i in range(3)} == {"g"}
    assert sorted(outputs_of(paths)) == sorted(p for p in paths.folder("masks").rglob("*") if p.is_file())


def test_what_fails_before_a_shard_is_replaced_leaves_the_old_run(tmp_path: Path, recorder: type[Recorder]) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    before = tree(paths.folder("masks"))
    recorder.asked, recorder.dies_at = [], "train/003.png"
    with pytest.raises(RuntimeError, match="the labeler died"):
        work(make_config(), paths, "g")
    assert tree(paths.folder("masks")) == before


def test_images_that_were_unreadable_for_a_while_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk was away while a shard was written: its images are not lost."""
    paths = make_dataset(tmp_path)
    work(make_config(shard_images=4), paths, "f")
    whole = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    away = "train/004.png"
    with monkeypatch.context() as patched:
        patched.setattr(labeling, "decode", lambda path: None if str(path).endswith(away) else decode(path))
        with pytest.raises(
            UserError, match=rf"1 of 32 images \({away}\) could not be read for a while, and can be now"
        ):
            work(make_config(shard_images=4), paths, "f")
    work(make_config(shard_images=4), paths, "f")
    assert f"lacks {away}, unreadable then and not now; writing it again" in capsys.readouterr().out
    assert tree(paths.folder("masks")) == whole


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


def test_a_full_disk_is_refused_early_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_dataset(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 10_000})())
        with pytest.raises(UserError, match=r"masks needs 0\.1 MB, but only 0\.0 MB are free there"):
            work(make_config(), paths, "f")
    assert not paths.folder("masks").exists()

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(UserError, match=r"disk is full: .*shard-00000\.h5 could not be written"):
        work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == {}


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
    with pytest.raises(UserError, match=r"unknown keypoint finder 'joint'; known: joints"):
        masks.settings(Run.of(make_config(keypoints="joint"), paths))
    shutil.rmtree(paths.folder("data"))
    with pytest.raises(UserError, match=r"the data stage of mine has not finished: .*Run: make data DATASET="):
        masks.inputs(Run.of(make_config(), paths))


class Nose:
    """A pose finder that sees a nose, at the height that the image's grey says."""

    name, version = "nose", 1

    def __init__(self, options: dict[str, Any], source: Any) -> None:
        self.height = options.get("height", 1.0)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name, "height": self.height}

    def inputs(self, records: list[ImageRecord]) -> dict[str, str]:
        return {"noses": str(len(records))}

    def prepare(self, records: list[ImageRecord], runtime: Runtime) -> None:
        self.splits = {record.split for record in records}

    def find(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[np.ndarray]:
        assert {record.split for record in records} <= self.splits
        joints = np.zeros((len(images), len(JOINTS), 3), np.float32)
        joints[:, 0] = [(0.5, self.height * image[0, 0, 0] / 255, 1) for image in images]
        return list(joints)


def test_a_pose_finder_sees_all_stored_splits_and_changes_no_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        keypoints, "create", lambda name, options, source: Nose(options, source) if name == "nose" else None
    )
    paths = make_dataset(tmp_path)
    bad = tmp_path / "data" / "mine" / "images" / "train" / "004.png"
    bad.write_bytes(b"no image")
    work(make_config(), paths, "f")
    without = provided_by(paths)
    assert "pose" not in without and read_index(paths.shard_index).pose is None
    assert masks.settings(Run.of(make_config(), paths))["pose"] is None

    config = make_config(keypoints="nose")
    assert Input(OUTSIDE, "noses", "32") in masks.inputs(Run.of(config, paths)), (
        "the split of the labeler is not stored"
    )
    assert masks.settings(Run.of(config, paths))["pose"] == {"name": "nose", "height": 1.0}
    work(config, paths, "g")
    provided = provided_by(paths)
    assert provided["pose"] and {**without, "pose": provided["pose"]} == provided
    assert read_index(paths.shard_index).pose == MadeBy("nose", {"height": 1.0})
    reader = ShardReader(paths.shard("train", 0))
    assert reader.keypoints[7, 0] == pytest.approx([0.5, 70 / 255, 1]) and not reader.keypoints[7, 1:].any()
    assert not reader.keypoints[4].any(), "nobody saw the unreadable image"
    assert ShardReader(paths.shard("query", 0)).keypoints[2, 0, 1] == pytest.approx(20 / 255)

    work(make_config(keypoints="nose", keypoint_options={"height": 0.5}), paths, "h")
    assert {key for key, digest in provided_by(paths).items() if digest != provided[key]} == {"pose"}


def test_what_a_detector_saw_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Detector(Unlabeled):
        def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
            torso = np.full((64, 32), TORSO, np.uint8)
            return [Labeled(torso, Status.SEVERAL_PEOPLE, 2, (0.0, 0.25, 0.5, 1.0), 0.75) for _ in images]

    kinds = {"ground_truth": Detector, "none": Unlabeled}
    monkeypatch.setattr(labelers, "create", lambda name, options, source: kinds[name](options, source))
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    sample = ShardReader(paths.shard("train", 1)).sample(3)
    assert (sample.people, sample.box, sample.score) == (2, (0.0, 0.25, 0.5, 1.0), 0.75)
    assert sample.status == Status.SEVERAL_PEOPLE and (sample.mask == TORSO).all()


def test_the_stage_ends_with_a_label_report(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    work(make_config(), paths, "f")
    files = outputs_of(paths)
    assert {paths.label_report_json, paths.label_report_md, *paths.label_pictures.iterdir()} <= set(files)
    assert all(path.is_file() for path in files) and "mIoU" in paths.label_report_md.read_text()


def test_a_rank_writes_its_shards_and_leaves_the_rest_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = make_dataset(tmp_path)
    monkeypatch.setattr(masks.distributed, "meet", lambda *said: None)
    for number, files in ((1, {"query/shard-00000.h5", "train/shard-00001.h5"}), (0, None)):
        monkeypatch.setattr(masks.distributed, "here", lambda number=number: distributed.Process(number, 2, number, 2))
        if files is None:
            missing = paths.shard("train", 1)
            kept = missing.read_bytes()
            missing.unlink()
            with pytest.raises(
                UserError, match=r"another process has written .*shard-00001\.h5, but this process cannot see it"
            ):
                work(make_config(), paths, "f")
            missing.write_bytes(kept)
        if files is None:
            work(make_config(), paths, "f")
        else:
            masks.run(Run.of(make_config(), paths), "f")
            assert set(tree(paths.folder("masks"))) == files and capsys.readouterr().out == ""
    together = tree(paths.folder("masks"))
    shutil.rmtree(paths.folder("masks"))
    monkeypatch.undo()
    monkeypatch.setattr(run, "load_manifest", lambda name: Manifest(name, "Mine"))
    work(make_config(), paths, "f")
    assert tree(paths.folder("masks")) == together


def test_evaluation_only_data_needs_no_labels(tmp_path: Path) -> None:
    paths = dataclasses.replace(make_dataset(tmp_path, {"query": 2, "gallery": 3}), labeler="none")
    work(make_config(), paths, "f")
    index = read_index(paths.shard_index)
    assert index.pids == () and set(index.splits) == {"query", "gallery"}
    assert index.splits["gallery"].status == {"unlabeled": 3}


def test_images_masks_and_joints_are_those_of_what_is_shown(tmp_path: Path) -> None:
    """Of eight pictures that look the same and are stored each with another orientation tag."""
    paths = make_dataset(tmp_path, {"train": 8})
    rng, root = np.random.default_rng(0), tmp_path / "data" / "mine"
    pixels, mask = rng.integers(0, 255, (64, 32, 3), np.uint8), rng.integers(0, 8, (64, 32), np.uint8)
    undo = [None, *(Image.Transpose(turn) for turn in (0, 3, 1, 5, 2, 6, 4))]  # shown -> stored, by tag
    for i, turn in enumerate(undo):
        exif, shown = Image.Exif(), Image.fromarray(pixels)
        exif[274] = i + 1
        (shown if turn is None else shown.transpose(turn)).save(root / f"images/train/{i:03d}.png", exif=exif)
        Image.fromarray(mask).save(root / f"masks/train/{i:03d}.png")
    columns = [f"{joint}_{axis}" for joint in JOINTS for axis in ("x", "y", "visible")]
    lines = [",".join(["name", *columns]), *(f"{i:03d}" + ",8,48,1" * len(JOINTS) for i in range(8))]
    write_text(root / "joints/train.csv", "\n".join(lines) + "\n")
    work(make_config(keypoints="joints"), paths, "f")
    samples = [ShardReader(paths.shard("train", 0)).sample(row) for row in range(8)]
    for sample in samples:
        assert sample.status == Status.OK and sample.keypoints[0].tolist() == [0.25, 0.75, 1]
        assert np.array_equal(sample.image, samples[0].image) and np.array_equal(sample.mask, samples[0].mask)
