"""Joints beside the images: read, scaled to fractions, missed in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.datasets.synped import dataset
from pipeline.datasets.synped.plan import SIZES, make_plan
from pipeline.errors import UserError
from pipeline.labelers import keypoints
from pipeline.labelers.base import Source
from pipeline.labelers.keypoints.base import KeypointFinder
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.stored_options import as_json
from sorn.sample import JOINTS

HEADER = ",".join(["name", *(f"{joint}_{axis}" for joint in JOINTS for axis in ("x", "y", "visible"))])
IMAGE = np.zeros((200, 100, 3), np.uint8)


def finder(root: Path, **options: Any) -> KeypointFinder:
    found = keypoints.create("joints", options, Source(Manifest("mine", "Mine"), root))
    assert found is not None
    return found


def record(path: str, split: str = "query") -> ImageRecord:
    return ImageRecord(f"{split}/{path}", Path("images") / path, 1, 1, split)


def write(root: Path, *rows: str, split: str = "query", header: str = HEADER) -> Path:
    path = root / "joints" / f"{split}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def row(name: str, x: float = 50, y: float = 150, visible: float = 1) -> str:
    return f"{name}," + ",".join([f"{x},{y},{visible}"] * 17)


def test_pixels_become_fractions_of_the_image(tmp_path: Path) -> None:
    write(tmp_path, row("b", 0, 0, 0), row("0001/a", 25, 150, 0.5))
    joints, items = finder(tmp_path), [record("0001/a.jpg"), record("b.png")]
    joints.prepare(items, Runtime())
    a, b = joints.find(items, [IMAGE, IMAGE])
    assert a.dtype == np.float32 and a.shape == (17, 3)
    assert a.tolist() == [[0.25, 0.75, 0.5]] * 17 and not b.any()


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    columns = HEADER.split(",")[::-1]
    values = [str(100 if c.endswith("_x") else 200 if c.endswith("_y") else "a" if c == "name" else 1) for c in columns]
    write(tmp_path, ",".join(values), header=",".join(columns))
    joints = finder(tmp_path)
    joints.prepare([record("a.jpg")], Runtime())
    assert joints.find([record("a.jpg")], [IMAGE])[0].tolist() == [[1, 1, 1]] * 17


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text + "\n \n",
        lambda text: text.replace("\n", "\r\n").replace(",", ";"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("0001/a", '"0001/a"'),
        lambda text: text.replace("0001/a", "0001\\a.jpg").upper().replace("A.JPG", "a.jpg"),
    ],
)
def test_tables_of_editors_and_spreadsheets(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = write(tmp_path, row("0001/a", 25, 150, 0.5))
    path.write_text(change(path.read_text()), newline="")
    joints, items = finder(tmp_path), [record("0001/a.jpg")]
    joints.prepare(items, Runtime())
    assert joints.find(items, [IMAGE])[0].tolist() == [[0.25, 0.75, 0.5]] * 17


def test_the_files_of_the_splits_asked_for_are_inputs(tmp_path: Path) -> None:
    for split in ("query", "gallery"):
        write(tmp_path, row("a"), split=split)
    joints, items = finder(tmp_path), [record("a.jpg"), record("a.jpg", "train")]
    before = joints.inputs(items)
    assert list(before) == ["joints of query"]
    write(tmp_path, row("a", 1, 1))
    assert joints.inputs(items) != before
    assert joints.describe() == {
        "name": "joints",
        "version": 1,
        "options": {"pattern": "joints/{split}.csv"},
        "weights": None,
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("b")], r"query\.csv has no row 'a', as query/a\.jpg needs it; 1 of 1 images have none.*keypoint_options"),
        ([row("a"), row("a")], r"line 3: 'a' has a row already"),
        ([row("a")[:-2]], r"line 2: 51 values for 52 columns"),
        ([row("a")[:-1]], r"line 2: a number is missing"),
        ([row("a", x=float("nan"))], r"line 2: places must be finite"),
        ([row("a", visible=2)], r"line 2: .*visible between 0 and 1"),
        ([row("a").replace("50", "?", 1)], r"line 2: a number is missing or no number"),
    ],
)
def test_rows_that_are_not_so(tmp_path: Path, rows: list[str], message: str) -> None:
    write(tmp_path, *rows)
    with pytest.raises(UserError, match=message):
        finder(tmp_path).prepare([record("a.jpg")], Runtime())


def test_files_that_are_not_so(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"there are no joints: .*joints/query\.csv is missing.*masks\.keypoint_options"
    ):
        finder(tmp_path).prepare([record("a.jpg")], Runtime())
    path = write(tmp_path, row("a"), header=HEADER.replace("nose_x", "nose"))
    with pytest.raises(UserError, match=r"query\.csv has no column nose_x"):
        finder(tmp_path).prepare([record("a.jpg")], Runtime())
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"query\.csv is not a CSV"):
        finder(tmp_path).prepare([record("a.jpg")], Runtime())


def test_names_and_options() -> None:
    source = Source(Manifest("mine", "Mine"), Path())
    assert keypoints.create("none", {}, source) is None
    for name, options, message in (
        ("openpose", {}, "unknown keypoint finder 'openpose'; known: blazepose, joints, keypoint_rcnn"),
        ("joints", {"file": "x"}, r"keypoint finder joints: unknown key 'masks\.keypoint_options\.file'\. .*Known: "),
        ("joints", {"pattern": "{path}"}, r"only {split} can be filled in\. .*--set masks\.keypoint_options\.pattern"),
    ):
        with pytest.raises(UserError, match=message):
            keypoints.create(name, options, source)


def test_options_are_set_on_the_command_line() -> None:
    config = load_config("paper", ("masks.keypoints=joints", "masks.keypoint_options.pattern=poses/{split}.csv"))
    assert config.masks.keypoints == "joints" and config.masks.keypoint_options == {"pattern": "poses/{split}.csv"}


def test_the_tables_that_synped_writes(tmp_path: Path) -> None:
    specs = [spec for spec in make_plan(SIZES["demo"], 0).images if spec.split == "query"][:2]
    written = np.tile(np.array([[25, 150, 1]], np.float32), (17, 1))
    for i, spec in enumerate(specs):
        path = dataset.files_of(tmp_path, spec)[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dataset.mask_png(np.zeros((4, 2), np.uint8), written * (i + 1, 1, 1)))
    dataset._write_joints(tmp_path, "query", specs)
    joints, items = finder(tmp_path), [record(f"{spec.stem}.jpg") for spec in specs]
    joints.prepare(items, Runtime())
    found = joints.find(items, [IMAGE, IMAGE])
    assert [pose[3].tolist() for pose in found] == [[0.25, 0.75, 1], [0.5, 0.75, 1]]


def test_names_before_0_2_are_understood_and_stored(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text('[masks]\npose = "joints"\npose_options = { pattern = "a/{split}.csv" }\n')
    config = load_config(str(tmp_path / "old.toml"))
    assert config.masks.keypoints == "joints" and config.masks.keypoint_options == {"pattern": "a/{split}.csv"}
    overridden = load_config(str(tmp_path / "old.toml"), ("masks.pose=none", "masks.pose_options.pattern=b.csv"))
    assert (overridden.masks.keypoints, overridden.masks.keypoint_options) == ("none", {"pattern": "b.csv"})
    stored = as_json(config.masks)
    assert stored["pose"] == "joints" and "keypoints" not in stored and "pose_options" in stored
