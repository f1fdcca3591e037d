"""Boxes of a detector in frames, a CSV `path,x,y,w,h`.

Reads the CSV and the frames. Paths are relative to the folder of the CSV. A box that reaches over the border of its
frame is cut there; one without a size, or outside the frame, is no picture.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.datasets.folders import file_state
from pipeline.datasets.image_folder import PictureFolder, as_pixels
from pipeline.errors import UserError
from pipeline.io.csv_table import read_table
from pipeline.io.files import digest_file, digest_json

COLUMNS = ("path", "x", "y", "w", "h")
ENDING = ".csv"
REMEDY = "Write the columns path,x,y,w,h: left, top, width and height in pixels of the frame, a row per box."
MARK = "@"  # in a name, between the frame and its box
KEPT = 4  # decoded frames in memory: boxes of one frame follow each other


@dataclass(frozen=True)
class FrameBox:
    """Box in a frame: left, top, width and height in pixels."""

    x: float
    y: float
    w: float
    h: float

    def __str__(self) -> str:
        return ",".join(f"{value:g}" for value in (self.x, self.y, self.w, self.h))

    @property
    def wrong(self) -> str:
        """Why it is no box, "" if it is one."""
        finite = all(map(math.isfinite, (self.x, self.y, self.w, self.h)))
        if not finite or self.w <= 0 or self.h <= 0:
            return f"its box {self} has no size: w and h must be greater than 0"
        return ""

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """Part of a frame [H, W, 3] inside the box.

        Raises ValueError for a box outside the frame.
        """
        if self.wrong:
            raise ValueError(self.wrong)
        height, width = frame.shape[:2]
        left, top = max(0, math.floor(self.x)), max(0, math.floor(self.y))
        right, bottom = min(width, math.ceil(self.x + self.w)), min(height, math.ceil(self.y + self.h))
        if left >= right or top >= bottom:
            raise ValueError(f"its box {self} lies outside the frame of {width}x{height} pixels")
        return frame[top:bottom, left:right]


@dataclass(frozen=True)
class FrameCrop:
    """A person in a frame."""

    path: Path
    box: FrameBox

    @property
    def name(self) -> str:
        return f"{self.path}{MARK}{self.box}"

    def pixels(self) -> np.ndarray:
        """Crop [h, w, 3] uint8 RGB.

        Raises UserError for a frame that cannot be read and a box outside of it.
        """
        try:
            return self.box.cut(as_pixels(self.path))
        except ValueError as error:
            raise UserError(f"{self.path}: {error}", "Correct the box; x and y are its left upper corner.") from error


@dataclass(frozen=True)
class BoxedFrames(PictureFolder):
    """Crops of frames, as pictures of a folder.

    source: the CSV. crops: name -> frame and box.
    """

    source: Path = Path()
    crops: Mapping[str, FrameCrop] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        return self.source

    @property
    def remedy(self) -> str:
        return f"Correct {self.source}: boxes in pixels of their frames, paths of frames relative to its own folder."

    @property
    def attrs(self) -> dict[str, str]:
        return {"boxes": self.source.name}

    def path(self, name: str) -> Path:
        return self.root / self.crops[name].path

    def state(self, name: str) -> str:
        return f"{file_state(str(self.path(name)))} {self.crops[name].box}"

    def content(self, name: str) -> str:
        return digest_json([self._digest(self.path(name)), str(self.crops[name].box)])

    def pixels(self, name: str) -> np.ndarray:
        return self.crops[name].box.cut(self._frame(self.path(name)))

    @functools.cached_property
    def _frame(self) -> Callable[[Path], np.ndarray]:
        return functools.lru_cache(KEPT)(self.read)

    @functools.cached_property
    def _digest(self) -> Callable[[Path], str]:
        return functools.lru_cache(KEPT)(digest_file)


def look_at_boxes(path: Path) -> BoxedFrames:
    """Crops of a CSV, with the frames' paths relative to it.

    A box without a size, and a row that is there already, are left out by name. Raises UserError for a file that is no
    such table, and for one without a box.
    """
    crops, others = {}, {}
    for line, crop in read_crops(path):
        if crop.box.wrong:
            others[f"{crop.name} (line {line})"] = crop.box.wrong
        elif crop.name not in crops:
            crops[crop.name] = crop
    if not crops:
        beside = f" but {len(others):,} without a size" if others else ""
        raise UserError(f"{path} has no box{beside}", REMEDY)
    return BoxedFrames(path.parent, tuple(sorted(crops)), others, path, crops)


def read_crops(path: Path) -> list[tuple[int, FrameCrop]]:
    """Rows of a CSV with their lines.

    Raises UserError for a file that is no such table.
    """
    try:
        rows = read_table(path, COLUMNS, REMEDY)
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}", REMEDY) from error
    return [(line, FrameCrop(Path(row["path"]), _box(path, line, row))) for line, row in rows]


def crop_of(name: str) -> FrameCrop | None:
    """Frame and box of a name; None for another name."""
    path, mark, numbers = name.rpartition(MARK)
    try:
        return FrameCrop(Path(path), FrameBox(*map(float, numbers.split(",")))) if mark else None
    except (ValueError, TypeError):
        return None


def _box(path: Path, line: int, row: Mapping[str, str]) -> FrameBox:
    try:
        return FrameBox(*(float(row[column]) for column in COLUMNS[1:]))
    except ValueError as error:
        text = ",".join(row[column] for column in COLUMNS[1:])
        raise UserError(f"{path}, line {line}: x,y,w,h = {text} are not four numbers", REMEDY) from error
