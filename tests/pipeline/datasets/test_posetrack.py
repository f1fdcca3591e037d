"""Occluded-PoseTrack-ReID: a made-up folder of its form becomes crops, joints and a list that the data stage reads."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.datasets import posetrack
from pipeline.datasets.discovery import find_records
from pipeline.datasets.manifest import load_manifest
from pipeline.datasets.posetrack import convert, crop_box
from pipeline.errors import UserError
from pipeline.io.images import read_content
from pipeline.labelers.keypoints.joints import read_joints

NAMES = ["nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow"]
NAMES += ["right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee"]
NAMES += ["left_ankle", "right_ankle"]
BOX = [10.0, 4.0, 12.0, 30.0]
VIDEOS = {"train": "000001", "val": "000002"}
SPLITS = {"train": ["train", "train", "none"], "val": ["query", "gallery", None]}


def annotation(number: int, person: int, image: int, box: list[float] = BOX) -> dict[str, Any]:
    """A person whose nose is visible at 15, 6, whose neck is, and whose left ankle lies outside the box."""
    joints = np.zeros((17, 3))
    joints[0], joints[1], joints[15] = (15, 6, 1), (15, 9, 1), (40, 35, 1)
    return {"id": number, "person_id": person, "image_id": image, "bbox": box, "keypoints": joints.ravel().tolist()}


def write(root: Path, part: str, **changes: Any) -> None:
    """One video of three frames of 60 x 40 pixels, with a person in each."""
    video = VIDEOS[part]
    images = [
        {"id": int(f"1{video}{i}"), "vid_id": video, "file_name": f"images/{part}/{video}_x/{i:06d}.jpg"}
        for i in range(3)
    ]
    for image in images:
        path = root / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(image["id"]).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    first = 100 if part == "train" else 200
    people = [annotation(first + i, first, image["id"]) for i, image in enumerate(images)]
    document = {"images": images, "annotations": people, "categories": [{"name": "person", "keypoints": NAMES}]}
    path = root / "posetrack_data" / part / f"{video}_x.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document | changes))
    numbers = {str(i): first + i for i in range(3)}
    sampling = {"id": numbers, "split": {str(i): split for i, split in enumerate(SPLITS[part])}}
    path = root / "occluded_posetrack_reid" / f"{part}_dataset_sampling.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(sampling))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part in VIDEOS:
        write(tmp_path / "PoseTrack21", part)
    return tmp_path / "PoseTrack21"


def test_crops_joints_and_a_list(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["data", "posetrack", str(root), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "4 crops" in done.output and f"make eval DATASET={out / 'occluded_posetrack.toml'}" in done.output
    manifest = load_manifest(str(out / "occluded_posetrack.toml"))
    found = find_records(manifest, tmp_path)
    assert [(r.name, r.pid, r.camid, r.split) for r in found.records] == [
        ("gallery/images/val/000002/200_000002_10000021.jpg", 200, 1, "gallery"),
        ("query/images/val/000002/200_000002_10000020.jpg", 200, 0, "query"),
        ("train/images/train/000001/100_000001_10000010.jpg", 100, 0, "train"),
        ("train/images/train/000001/100_000001_10000011.jpg", 100, 0, "train"),
    ]
    crop = np.asarray(Image.open(found.records[1].path), np.float32)
    frame = np.asarray(Image.open(root / "images/val/000002_x/000000.jpg"), np.float32)
    assert crop.shape == (30, 12, 3) and np.abs(crop - frame[4:34, 10:22]).mean() < 8
    joints = read_joints(out / "joints" / "query.csv")["images/val/000002/200_000002_10000020"]
    assert joints[0].tolist() == [5, 2, 1] and joints[1:].sum() == 0, "neck and top of the head are no joints of COCO"


def test_it_continues(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = convert(root, tmp_path / "out")
    crops = sorted((tmp_path / "out/images").rglob("*.jpg"))
    crops[0].unlink()
    crops[1].write_bytes(b"kept")
    decoded: list[str] = []
    monkeypatch.setattr(posetrack, "read_content", lambda path: (decoded.append(path.name), read_content(path))[1])
    again = convert(root, tmp_path / "out")
    assert again == first and crops[0].is_file() and crops[1].read_bytes() == b"kept"
    assert decoded == ["000000.jpg"], "a frame whose crops are there is not decoded"


def test_boxes_outside_are_left_out(root: Path, tmp_path: Path) -> None:
    outside = annotation(202, 200, 10000022, [100.0, 0.0, 9.0, 9.0])
    write(root, "val", annotations=[annotation(200, 200, 10000020), annotation(201, 200, 10000021), outside])
    path = root / "occluded_posetrack_reid" / "val_dataset_sampling.json"
    path.write_text(path.read_text().replace("null", '"gallery"'))
    made = convert(root, tmp_path / "out")
    assert made.empty == 1 and made.images == {"train": 2, "query": 1, "gallery": 1}
    assert "left out: 1 samples" in made.text()


@pytest.mark.parametrize("changed", ["annotations", "samples", "version", "no state"])
def test_crops_of_other_sources_are_refused(
    changed: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(root, tmp_path / "out")
    if changed == "annotations":
        moved = annotation(200, 200, 10000020, [11.0, 4.0, 12.0, 30.0])
        write(root, "val", annotations=[moved, annotation(201, 200, 10000021)])
    elif changed == "samples":
        path = root / "occluded_posetrack_reid" / "train_dataset_sampling.json"
        path.write_text(path.read_text().replace("none", "train"))
    elif changed == "version":
        monkeypatch.setattr(posetrack, "VERSION", 0)
    else:
        (tmp_path / "out" / "occluded_posetrack.json").unlink()
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"out holds other files, or crops of other annotations or samples\. Choose"):
        convert(root, tmp_path / "out")
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "file", ["occluded_posetrack.json", "images/val", "joints/query.csv", "occluded_posetrack.csv"]
)
def test_what_cannot_be_written_is_told(file: str, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if file == "occluded_posetrack.json":
        out.write_text("no folder")
    else:
        convert(root, out)
        shutil.rmtree(out / file) if (out / file).is_dir() else (out / file).unlink()
        temporary = out / file if file == "images/val" else out / f"{file}.tmp"  # a file for a folder, and the reverse
        temporary.write_text("no folder") if file == "images/val" else temporary.mkdir()
    with pytest.raises(UserError, match=r"out.* cannot be written: .*\. Make room or choose another --out"):
        convert(root, out)


def test_the_command_can_be_pasted(root: Path, tmp_path: Path) -> None:
    text = convert(root, tmp_path / "my people").text()
    (command,) = [line.removeprefix("  -> ") for line in text.splitlines() if "->" in line]
    assert shlex.split(command)[2] == f"DATASET={tmp_path}/my people/occluded_posetrack.toml"


@pytest.mark.parametrize("video", ["a\0b", "\udcff"])
def test_a_name_that_no_file_can_have_is_refused(video: str, root: Path, tmp_path: Path) -> None:
    image = {"id": 10000020, "vid_id": video, "file_name": "images/val/000002_x/000000.jpg"}
    write(root, "val", annotations=[annotation(200, 200, 10000020)])
    path = root / "posetrack_data/val/000002_x.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images": [image]}))
    with pytest.raises(UserError, match="or is no text"):
        convert(root, tmp_path / "out")


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((-5.0, -2.0, 20.0, 10.0), (0, 0, 20, 10)),
        ((50.0, 30.0, 20.0, 20.0), (50, 30, 59, 39)),
        ((3.7, 2.2, 4.9, 5.9), (3, 2, 7, 7)),
        ((70.0, 0.0, 5.0, 5.0), (59, 0, 59, 5)),
    ],
)
def test_boxes_are_cut_as_kpr_cuts_them(box: tuple[float, ...], cut: tuple[int, ...]) -> None:
    assert crop_box(box, 60, 40) == cut  # type: ignore[arg-type]


def test_what_is_missing_or_of_another_form_is_named(root: Path, tmp_path: Path) -> None:
    def refused() -> str:
        with pytest.raises(UserError) as error:
            convert(root, tmp_path / "out")
        assert "Give the folder of PoseTrack21" in error.value.remedy
        return error.value.wrong

    sampling = root / "occluded_posetrack_reid" / "val_dataset_sampling.json"
    good = sampling.read_text()
    sampling.write_text(good.replace("query", "train"))
    assert "no annotation of val is a sample of query" in refused()
    sampling.write_text("[]")
    assert "is no list of samples" in refused()
    sampling.unlink()
    assert f"there is no file {sampling}" in refused()
    sampling.write_text(good)
    (root / "images/val/000002_x/000000.jpg").unlink()
    assert "there is no frame" in refused()
    image = {"id": 10000020, "vid_id": "000002", "file_name": "../../secret.jpg"}
    write(root, "val", images=[image], annotations=[annotation(200, 200, 10000020)])
    assert "is no annotation of PoseTrack21: ValueError a name leaves the folder" in refused()
    for path in (root / "posetrack_data/val").iterdir():
        path.unlink()
    assert "has no annotations" in refused()
