"""Joints of the people in images, from files of a pose estimator.

Reads one JSON for all images, a folder with one JSON for each, or the CSVs of the keypoint finder `joints`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.coco.entries import Entry, read_entries, read_images
from pipeline.datasets.coco.image_names import ImageNames, path_ends, paths_of
from pipeline.datasets.coco.skeletons import FoundPose, read_poses
from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.labelers.keypoints.joints import read_joints
from pipeline.labelers.limbs.image_files import ImageFiles

OPTION, IMAGES = "masks.options.joints", "masks.options.images"
ENDS = (".json", ".predictions.json", "_keypoints.json", "_pose.json")
OUTSIDE = 0.25  # of a side of the image; a skeleton most of whose sure joints lie farther out is of another image


class JointFiles:
    """Skeletons of each image.

    given: path of a file or a folder; {split} in a CSV's name is the split. pattern: form of the names in a folder.
    images: JSON with a list of images, or "". person_score: people of a lower score are left out.
    """

    def __init__(self, given: str, pattern: str, images: str, person_score: float, root: Path) -> None:
        self.given, self.images, self.root, self.person_score = given, images, root, person_score
        self.files = ImageFiles(Path(given), ENDS, pattern, root, OPTION, "joints")
        self.poses: dict[str, list[FoundPose]] = {}
        self.first: dict[str, Entry] = {}  # of each image in a JSON

    @property
    def is_table(self) -> bool:
        return self.given.lower().endswith(".csv")

    @property
    def is_folder(self) -> bool:
        return Path(self.given).is_dir()

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        """Digests of the files, by name."""
        if self.is_folder:
            paths = map(self.files.find, records)
            return {"joints": files_digest(self.files.folder, (path for path in paths if path is not None))}
        tables = {f"joints of {split}": Path(self.given.format(split=split)) for split in _splits(records)}
        files = tables if self.is_table else {"joints": Path(self.given)}
        if self.images and not self.is_table:
            files["list of images"] = Path(self.images)
        return {name: digest_file(path) for name, path in files.items() if path.is_file()}

    def prepare(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """Read what is read once; returns the images without any person.

        Raises UserError as the readers do, and if no image has one.
        """
        if self.is_table:
            self.poses = self._from_tables(records)
        elif not self.is_folder:
            images = read_images(Path(self.images), IMAGES) if self.images else None
            file = read_entries(Path(self.given), OPTION, images)
            groups = ImageNames(records, self.root).group(file, OPTION, IMAGES)
            self.poses = {name: self._wanted(read_poses(entries, file.joints)) for name, entries in groups.items()}
            self.first = {name: entries[0] for name, entries in groups.items()}
        else:
            return self.files.require(records)
        return [record for record in records if not self.poses.get(record.name)]

    def find(self, record: ImageRecord, size: tuple[int, int], sure: float) -> list[FoundPose]:
        """Skeletons of an image, checked against its size (h, w).

        sure: confidence from which on a joint counts. Raises UserError for joints of another image.
        """
        where, poses = self.given, self.poses.get(record.name, [])
        if self.is_folder:
            path = self.files.find(record)
            if path is None:
                return []
            file = read_entries(path, OPTION)
            where, poses = str(path), self._wanted(read_poses(file.entries, file.joints))
            for entry in file.entries[:1]:
                require_size(entry, size)
        elif record.name in self.first:
            require_size(self.first[record.name], size)
        for pose in poses:
            _require_inside(pose, size, sure, f"{where}, image {record.name}")
        return poses

    def _wanted(self, poses: list[FoundPose]) -> list[FoundPose]:
        return [one for one in poses if one.target or one.score is None or one.score >= self.person_score]

    def _from_tables(self, records: Sequence[ImageRecord]) -> dict[str, list[FoundPose]]:
        """Skeleton of each image, from the row with its path or an end of it."""
        found: dict[str, list[FoundPose]] = {}
        tables = {split: read_joints(Path(self.given.format(split=split))) for split in _splits(records)}
        users: dict[tuple[str, str], str] = {}
        for record in records:
            names = [name for path in paths_of(record, self.root) for name in path_ends(path.as_posix())]
            table = tables[record.split]
            row = next((key for name in names for key in (os.path.splitext(name)[0], name) if key in table), None)
            if row is None:
                continue
            other = users.setdefault((self.given.format(split=record.split), row), record.name)
            if other != record.name:
                wrong = f"{self.given}: the row '{row}' may be of {other} or {record.name}"
                raise UserError(wrong, f"Write the images' paths below {self.root} into the column name.")
            found[record.name] = [FoundPose(table[row].astype(np.float64))]
        if records and not found:
            of = f"none of the {len(records):,} images that are labelled, such as {records[0].name}"
            raise UserError(f"{self.given} has {of}", f"Name the joints of these images: --set {OPTION}=FILE")
        return found


def _splits(records: Sequence[ImageRecord]) -> list[str]:
    return sorted({record.split for record in records})


def require_size(entry: Entry, size: tuple[int, int]) -> None:
    """Raise UserError for an entry whose image has another size.

    size: (h, w) of the image.
    """
    if entry.size is not None and entry.size != size:
        found = f"is of an image of {entry.size[1]}x{entry.size[0]} pixels, and this one has {size[1]}x{size[0]}"
        raise entry.damaged(found, "Run the tool on these images, as they are.")


def _require_inside(pose: FoundPose, size: tuple[int, int], sure: float, where: str) -> None:
    """Raise UserError for joints that are fractions, or of another image. size: (h, w)."""
    places = pose.keypoints[pose.keypoints[:, 2] >= sure, :2]
    if len(places) < 3:
        return
    sides = np.array(size[::-1])
    remedy = "Give joints in pixels of the same images, uncropped and of the same size."
    if places.max() <= 1 < sides.min():
        raise UserError(f"{where}: the joints lie within one pixel: they are fractions of the image", remedy)
    outside = ((places < -OUTSIDE * sides) | (places > (1 + OUTSIDE) * sides)).any(axis=1)
    if outside.mean() > 0.5:
        shown = f"{int(outside.sum())} of {len(places)} joints lie outside the image of {size[1]}x{size[0]} pixels"
        raise UserError(f"{where}: {shown}", remedy)
