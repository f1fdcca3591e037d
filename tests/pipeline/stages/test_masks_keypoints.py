"""Keypoints, detections and turned pictures in the shards of the masks stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_runs import make_config, make_dataset, provided_by, work
from PIL import Image

from pipeline import labelers
from pipeline.datasets.records import ImageRecord
from pipeline.io.files import write_text
from pipeline.labelers import keypoints
from pipeline.labelers.base import Labeled
from pipeline.labelers.unlabeled import Unlabeled
from pipeline.runs.config import Runtime
from pipeline.runs.inputs import OUTSIDE, Input
from pipeline.runs.made_by import MadeBy
from pipeline.runs.run import Run
from pipeline.shards.format import ShardReader
from pipeline.shards.index import read_index
from pipeline.stages import masks
from sorn.parts import TORSO
from sorn.sample import JOINTS, Status

pytestmark = pytest.mark.usefixtures("mine")


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
