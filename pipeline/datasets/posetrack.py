"""Conversion of Occluded-PoseTrack-ReID into a list of crops with joints.

Reads PoseTrack21's annotations and frames, and the samples that the re-ID dataset takes of them; writes

    images/<part>/<video>/<person>_<video>_<frame>.jpg    one person, JPEG of quality 95, named as KPR names it
    joints/<split>.csv                                    its joints, for the keypoint finder `joints`
    occluded_posetrack.csv, occluded_posetrack.toml       the list of the images, and its terms; written last
    occluded_posetrack.json                               what the crops are made from

A file that exists is finished, because it is renamed last: an interrupted run continues where it stopped. Sources:
README and occluded_posetrack21.py of VlSomers/keypoint_promptable_reidentification, README of anDoer/PoseTrack21.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from pipeline.datasets.conversion import claim, told_when_unwritable
from pipeline.datasets.csv_list import COLUMNS
from pipeline.datasets.image_files import read_size
from pipeline.datasets.image_folder import is_text
from pipeline.errors import UserError
from pipeline.io.files import atomic, digest_file, write_text
from pipeline.io.images import BROKEN, read_content, read_rgb, unreadable
from pipeline.io.text import read_json
from pipeline.runtime.progress import progress
from sorn.sample import JOINTS

NAME = "occluded_posetrack"
VERSION = 1  # of the crops: another one makes none of the old fit
QUALITY = 95
PARTS = {"train": ("train",), "val": ("query", "gallery")}  # of PoseTrack21 -> splits of this dataset
CAMERA = {"train": "0", "query": "0", "gallery": "1"}  # its evaluation drops no gallery image
ANNOTATIONS, SAMPLING = "posetrack_data", "occluded_posetrack_reid"
JOINT_COLUMNS = [f"{joint}_{axis}" for joint in JOINTS for axis in ("x", "y", "visible")]
LICENCE = "PoseTrack21: on request from its authors, for research. Samples: the terms of KPR (Hippocratic License)."
NOTICE = "Frames of videos of real people, who were not asked. Use them only as the terms and your law allow."
REMEDY = (
    f"Give the folder of PoseTrack21 with images/, {ANNOTATIONS}/ and, from KPR, {SAMPLING}/ with "
    "train_dataset_sampling.json and val_dataset_sampling.json."
)

Box = tuple[int, int, int, int]  # left, top, right, bottom of a crop in whole pixels


@dataclass(frozen=True)
class TrackedPerson:
    """One person in a frame, as a sample of the dataset.

    frame: path of the frame below PoseTrack21. name: of the crop, below images/. box: left, top, width, height in
    pixels. joints: [17, 3] float64, x, y in pixels of the frame and 1 for visible.
    """

    split: str
    person: str
    frame: str
    name: str
    box: tuple[float, float, float, float]
    joints: np.ndarray


@dataclass(frozen=True)
class ConvertedTracks:
    """Result of a conversion.

    dataset: the value for DATASET. images: split -> number of crops. persons: split -> number of persons. empty: number
    of samples whose box has no pixel inside its frame.
    """

    dataset: Path
    images: Mapping[str, int]
    persons: Mapping[str, int]
    empty: int

    def text(self) -> str:
        lines = [f"{self.dataset.parent}: {sum(self.images.values()):,} crops"]
        lines += [f"  {split:8}{n:8,} images {self.persons[split]:7,} persons" for split, n in self.images.items()]
        if self.empty:
            lines.append(f"  left out: {self.empty:,} samples whose box lies outside the frame")
        own = shlex.quote(str(self.dataset))
        return "\n".join([*lines, f"  {LICENCE}", f"  -> make eval DATASET={own} TRAINED_ON=starter"])


def convert(root: Path, out: Path) -> ConvertedTracks:
    """Missing crops, written to `out`, then joints and the list.

    root: folder of PoseTrack21. Raises UserError for files that are missing or of another form, for a folder with other
    crops and for a full disk.
    """
    found = [one for part in PARTS for one in read_persons(root, part)]
    frames: dict[str, list[TrackedPerson]] = defaultdict(list)
    for one in found:
        frames[one.frame].append(one)
    boxes: dict[str, Box] = {}
    with told_when_unwritable(out):
        claim(out / f"{NAME}.json", _state(root), "annotations or samples")
        for crops in progress((_write_crops(root, out, same) for same in frames.values()), len(frames), "posetrack"):
            boxes |= crops
        kept = [one for one in found if one.name in boxes]
        dataset = _write_list(out, kept, boxes)
    splits = {split: [one for one in kept if one.split == split] for split in CAMERA}
    persons = {split: len({one.person for one in own}) for split, own in splits.items()}
    return ConvertedTracks(dataset, {split: len(own) for split, own in splits.items()}, persons, len(found) - len(kept))


def _state(root: Path) -> dict[str, object]:
    """What the crops are made from."""
    files = [path for part in PARTS for path in (_sampling_file(root, part), *_annotation_files(root, part))]
    return {"version": VERSION, "files": {path.relative_to(root).as_posix(): digest_file(path) for path in files}}


def _sampling_file(root: Path, part: str) -> Path:
    return root / SAMPLING / f"{part}_dataset_sampling.json"


def _annotation_files(root: Path, part: str) -> list[Path]:
    return sorted((root / ANNOTATIONS / part).glob("*.json"))


def read_persons(root: Path, part: str) -> list[TrackedPerson]:
    """Samples of one part of PoseTrack21, in the order of its files.

    part: of PARTS. Raises UserError for a missing file, one of another form, and a split without samples.
    """
    chosen = _read_sampling(_sampling_file(root, part), part)
    files = _annotation_files(root, part)
    if not files:
        raise UserError(f"{root / ANNOTATIONS / part} has no annotations (*.json)", REMEDY)
    found = []
    for path in files:
        try:
            found += list(_of_video(read_json(path), chosen, part))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(
                f"{path} is no annotation of PoseTrack21: {type(error).__name__} {error}", REMEDY
            ) from error
    counts = Counter(one.split for one in found)
    missing = [split for split in PARTS[part] if not counts[split]]
    if missing:
        wrong = f"{root / SAMPLING}: no annotation of {part} is a sample of {' and '.join(missing)}"
        raise UserError(wrong, REMEDY)
    return found


def _read_sampling(path: Path, part: str) -> dict[str, str]:
    """Number of an annotation -> its split; those of no split are left out."""
    try:
        document = read_json(path)
        splits = {str(document["id"][key]): split for key, split in document["split"].items()}
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", REMEDY) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is no list of samples with `id` and `split`", REMEDY) from error
    return {number: split for number, split in splits.items() if split in PARTS[part]}


def _of_video(document: Any, chosen: Mapping[str, str], part: str) -> Iterator[TrackedPerson]:
    """Samples of one video. Raises KeyError, TypeError, ValueError or IndexError for another form."""
    images = {image["id"]: image for image in document["images"]}
    names = [str(name) for name in document["categories"][0]["keypoints"]]
    order = [names.index(joint) if joint in names else -1 for joint in JOINTS]
    for one in document["annotations"]:
        split = chosen.get(str(one["id"]))
        if split is None:
            continue
        image = images[one["image_id"]]
        frame, video, person = str(image["file_name"]), str(image["vid_id"]), str(int(one["person_id"]))
        if not all(_inside(text) for text in (frame, video)) or "/" in video:
            raise ValueError(f"a name leaves the folder, or is no text: {frame!a}")
        left, top, width, height = map(float, one["bbox"])
        joints = np.array(one["keypoints"], np.float64).reshape(len(names), 3)
        joints = np.where(np.array(order)[:, None] >= 0, joints[order], 0)
        name = f"{part}/{video}/{person}_{video}_{int(image['id'])}.jpg"
        yield TrackedPerson(split, person, frame, name, (left, top, width, height), joints)


def _inside(path: str) -> bool:
    pure = PurePosixPath(path)
    if not is_text(path) or "\0" in path:
        return False
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path


def _write_crops(root: Path, out: Path, same: list[TrackedPerson]) -> dict[str, Box]:
    """Crops of one frame that are missing. Returns the boxes of all that have pixels."""
    path = root / same[0].frame
    if not path.is_file():
        raise UserError(f"there is no frame {path}", REMEDY)
    width, height = read_size(path)
    boxes = {one.name: crop_box(one.box, width, height) for one in same}
    boxes = {name: box for name, box in boxes.items() if box[0] < box[2] and box[1] < box[3]}
    missing = [name for name in boxes if not (out / "images" / name).is_file()]
    if missing:
        pixels = _read_frame(path)
    for name in missing:
        left, top, right, bottom = boxes[name]
        with atomic(out / "images" / name) as temporary, open(temporary, "wb") as written:
            crop = Image.fromarray(pixels[top:bottom, left:right])
            crop.save(written, format="JPEG", quality=QUALITY, subsampling=0)
    return boxes


def _read_frame(path: Path) -> np.ndarray:
    try:
        return read_rgb(read_content(path))
    except BROKEN as error:
        raise unreadable(path, error) from error


def crop_box(box: tuple[float, float, float, float], width: int, height: int) -> Box:
    """Left, top, right, bottom in whole pixels, as KPR cuts.

    box: left, top, width, height. width, height: of the frame, whose last column and row are never inside.
    """
    left, top = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    across, down = min(max(box[2], 0), width - 1 - left), min(max(box[3], 0), height - 1 - top)
    return int(left), int(top), int(left) + int(across), int(top) + int(down)


def _write_list(out: Path, kept: list[TrackedPerson], boxes: Mapping[str, Box]) -> Path:
    """Joints per split, the list of all crops, and a manifest with their terms."""
    for split in CAMERA:
        rows = [
            [f"images/{one.name}".removesuffix(".jpg"), *_joints_in(one, boxes[one.name])]
            for one in kept
            if one.split == split
        ]
        _write_csv(out / "joints" / f"{split}.csv", ["name", *JOINT_COLUMNS], rows)
    listed = [[f"images/{one.name}", one.person, CAMERA[one.split], one.split] for one in kept]
    _write_csv(out / f"{NAME}.csv", list(COLUMNS), listed)
    terms = {"name": NAME, "title": "Occluded-PoseTrack-ReID", "licence": LICENCE, "notice": NOTICE}
    path = out / f"{NAME}.toml"
    manifest = {**terms, "csv": f"{NAME}.csv"}
    write_text(path, "".join(f"{key} = {json.dumps(value)}\n" for key, value in manifest.items()))
    return path


def _joints_in(one: TrackedPerson, box: Box) -> list[float]:
    """x, y in pixels of the crop and visible, of each joint; zeros for a joint that is hidden or outside."""
    left, top, right, bottom = box
    x, y, seen = one.joints.T
    inside = (seen > 0) & (x >= left) & (x < right) & (y >= top) & (y < bottom)
    moved = np.stack([x - left, y - top, np.ones_like(x)], 1) * inside[:, None]
    values: list[float] = moved.ravel().round(2).tolist()
    return values


def _write_csv(path: Path, columns: list[str], rows: list[list[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())
