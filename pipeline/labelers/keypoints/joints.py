"""Keypoint finder `joints`: joints beside a dataset's images, as SynPed's.

Reads one CSV per split. Columns: name, the image's path below its split, with or without its suffix; and for each of
the 17 joints of `sorn.sample` <joint>_x, <joint>_y in pixels of the image and <joint>_visible, from 0 (hidden) to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.csv_table import read_table
from pipeline.io.files import digest_file
from pipeline.labelers.base import Source, describe, read_options
from pipeline.labelers.keypoints.base import OWNER, SECTION
from pipeline.runs.config import Runtime
from sorn.sample import JOINTS

COLUMNS = tuple(f"{joint}_{axis}" for joint in JOINTS for axis in ("x", "y", "visible"))
REMEDY = f"Mend the file, or say where another lies: --set {SECTION}.pattern=..."


@dataclass(frozen=True)
class JointsOptions:
    pattern: str = "joints/{split}.csv"
    # Where the joints of a split lie under the dataset's folder.

    def __post_init__(self) -> None:
        try:
            self.pattern.format(split="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"pattern = '{self.pattern}': only {{split}} can be filled in") from error


class Joints:
    """Every image has one row."""

    name = "joints"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(JointsOptions, self.name, options, OWNER, SECTION)
        self.root = source.root
        self.tables: dict[str, dict[str, np.ndarray]] = {}

    def describe(self) -> Mapping[str, object]:
        return describe(self.name, self.version, self.options)

    def path(self, split: str) -> Path:
        return self.root / self.options.pattern.format(split=split)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        files = {split: self.path(split) for split in sorted({record.split for record in records})}
        return {f"joints of {split}": digest_file(path) for split, path in files.items() if path.is_file()}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        self.tables = {split: read_joints(self.path(split)) for split in {record.split for record in records}}
        missing = [record for record in records if self._joints(record) is None]
        if missing:
            raise UserError(
                f"{self.path(missing[0].split)} has no row '{_key(missing[0])}', as {missing[0].name} needs it; "
                f"{len(missing)} of {len(records)} images have none",
                REMEDY,
            )

    def find(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[np.ndarray]:
        found = []
        for record, image in zip(records, images, strict=True):
            height, width = image.shape[:2]
            joints = self._joints(record)
            assert joints is not None, "prepare looks for every row"
            joints = joints / np.array([width, height, 1], np.float32)
            found.append(joints.astype(np.float32))
        return found

    def _joints(self, record: ImageRecord) -> np.ndarray | None:
        """Joints of an image, in pixels; its row has the name with or without the suffix."""
        table, path = self.tables[record.split], record.name.removeprefix(f"{record.split}/")
        return table.get(_key(record), table.get(path))


def read_joints(path: Path) -> dict[str, np.ndarray]:
    """Joints of every image of a CSV file.

    name -> [17, 3] float32: x, y in pixels, confidence. Raises UserError for a file that is missing or of another form.
    """
    try:
        rows = read_table(path, ("name", *COLUMNS), REMEDY)
    except FileNotFoundError as error:
        raise UserError(f"there are no joints: {path} is missing", REMEDY) from error
    joints: dict[str, np.ndarray] = {}
    for line, row in rows:
        name = row["name"].replace("\\", "/")
        if name in joints:
            raise UserError(f"{path}, line {line}: '{name}' has a row already", REMEDY)
        joints[name] = _joints(row, f"{path}, line {line}")
    return joints


def _joints(row: dict[str, str], where: str) -> np.ndarray:
    """Joints of one row, [17, 3] float32. where: the row, for messages."""
    try:
        found = np.array([float(row[column]) for column in COLUMNS], np.float32).reshape(len(JOINTS), 3)
    except ValueError as error:
        raise UserError(f"{where}: a number is missing or no number", REMEDY) from error
    if not np.isfinite(found).all() or not ((found[:, 2] >= 0) & (found[:, 2] <= 1)).all():
        raise UserError(f"{where}: places must be finite and visible between 0 and 1", REMEDY)
    return found


def _key(record: ImageRecord) -> str:
    """The image's path below its split, without the suffix."""
    return PurePosixPath(record.name.removeprefix(f"{record.split}/")).with_suffix("").as_posix()
