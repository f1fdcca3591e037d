"""Labeler `import`: label maps of another tool, by a class table.

Reads PNG, .npy or .npz, and the table.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.label_maps import LabelMaps, setting
from pipeline.datasets.mask_files import OTHER_SUFFIXES, SUFFIXES, bits_per_pixel
from pipeline.datasets.mask_sizes import FITS, SHAPE
from pipeline.datasets.mask_values import CHANNELS
from pipeline.datasets.records import ImageRecord
from pipeline.errors import LostFile, UserError
from pipeline.io.digests import FilePlace
from pipeline.io.files import digest_json
from pipeline.labelers.base import Labeled, Source, describe, labeled, read_options
from pipeline.runs.config import Runtime
from sorn.config import check, check_choice
from sorn.parts import BACKGROUND

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportOptions:
    folder: str = ""
    # Holds one label map per image, .png or .npy, under the image's path below the dataset's folder or under its name
    # (split/path): the image bounding_box_train/0002_c1s1.jpg has the map FOLDER/bounding_box_train/0002_c1s1.png.
    table: str = ""
    # What the values mean: a shipped class table, or the path of your own (pipeline/labelers/tables.py).
    hands: str = "lower_arm"
    # Class of hands where the table tells them apart: DensePose has no separate hand in the paper's eight classes.
    missing: str = "error"
    # Image without a label map: "error", or "empty" for an all-background mask with status EMPTY.
    pattern: str = ""
    # Where the map of an image lies under the folder, {path} being the image's path without its suffix. Sapiens
    # writes {path}_seg.npy. "" looks for {path}.png, {path}.npy and {path}.npz.
    channel: str = ""
    # Channel that holds the ids where several differ: "red", "green" or "blue", as the file has them.
    ignore: tuple[int, ...] | int = ()
    # Values that become background, such as 255 where a tool marks pixels without a class.
    fit: str = SHAPE
    # How the image lies in its map: "shape" refuses another aspect ratio than the image's. For maps of one size:
    # "stretched" over it, "letterboxed" in its middle, "padded" at the right and at the bottom.

    def __post_init__(self) -> None:
        check(bool(self.folder), "folder", self.folder, "the folder of the label maps")
        check(bool(self.table), "table", self.table, "a class table such as lip20, densepose24 or mine.csv")
        check_choice("hands", self.hands, tuple(HANDS))
        check_choice("missing", self.missing, ("error", "empty"))
        check(_is_pattern(self.pattern), "pattern", self.pattern, f"{{path}} and an end in {', '.join(SUFFIXES)}")
        check(self.channel in ("", *CHANNELS), "channel", self.channel, f"one of {', '.join(CHANNELS)}")
        check_choice("fit", self.fit, FITS)


# Options that runs of earlier releases do not have: they enter the fingerprint where they are set.
LATER = ("pattern", "channel", "ignore", "fit")


class ImportMasks:
    """Labeler with one label map per image, of any size.

    The map has the image's shape.
    """

    name = "import"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(ImportOptions, self.name, options)
        self.root = source.root
        self.folder = Path(self.options.folder)
        self.lookup = load_table(self.options.table, self.options.hands)
        self.patterns = (self.options.pattern,) if self.options.pattern else tuple("{path}" + end for end in SUFFIXES)
        self.listed: dict[Path, dict[str, str]] = {}
        chosen = self.options
        ignore = (chosen.ignore,) if isinstance(chosen.ignore, int) else chosen.ignore
        self.maps = LabelMaps(chosen.table, self.lookup, chosen.channel, ignore, chosen.fit)

    def describe(self) -> Mapping[str, object]:
        unset = [name for name in LATER if getattr(self.options, name) == getattr(ImportOptions, name)]
        # The contents of the folder and of the table are in `inputs`.
        placed = dataclasses.replace(
            self.options, folder=FilePlace(self.options.folder), table=FilePlace(self.options.table)
        )
        return describe(self.name, self.version, placed, without=unset)

    def _names(self, record: ImageRecord) -> list[PurePath]:
        """Path of an image below the dataset's folder, and its name."""
        inside = [record.path.relative_to(self.root)] if record.path.is_relative_to(self.root) else []
        return [*inside, PurePath(record.name)]

    def _places(self, record: ImageRecord) -> list[PurePath]:
        """Paths of an image without its suffix."""
        return [place.with_suffix("") for place in self._names(record)]

    def find(self, record: ImageRecord) -> Path | None:
        """The image's label map, or None.

        One with the image's whole name (a.jpg.png) comes before one without its suffix.
        """
        places = [place.as_posix() for place in (*self._names(record), *self._places(record))]
        candidates = (self.folder / pattern.format(path=place) for place in places for pattern in self.patterns)
        return next((path for candidate in candidates if (path := self._on_disk(candidate))), None)

    def _on_disk(self, path: Path) -> Path | None:
        """File of that name, its suffix in any capitals. Folders are listed once."""
        folder, name = path.parent, path.name
        if folder not in self.listed:
            there = sorted(os.listdir(folder)) if folder.is_dir() else []
            self.listed[folder] = {_quiet(one): one for one in there} | {one: one for one in there}
        listed = self.listed[folder]
        found = listed.get(name) or listed.get(_quiet(name))
        return folder / found if found and (folder / found).is_file() else None

    def inputs(self, records: list[ImageRecord]) -> dict[str, str]:
        self._require_folder()
        paths = map(self.find, records)
        maps = files_digest(self.folder, (path for path in paths if path is not None))
        return {"label maps": maps, "class table": digest_json(self.lookup.tolist())}

    def _require_folder(self) -> None:
        """Raise LostFile if the folder of the label maps is not there."""
        if not self.folder.is_dir():
            remedy = "Name the label maps: --set masks.options.folder=FOLDER"
            raise LostFile(f"there is no folder '{self.folder}'", remedy)

    def prepare(self, records: list[ImageRecord], runtime: Runtime) -> None:
        self._require_folder()
        self.listed.clear()
        found = [(record, self.find(record)) for record in records]
        missing = [record for record, path in found if path is None]
        if missing and (self.options.missing == "error" or len(missing) == len(records)):
            raise self._missing(missing, len(records))
        paths = [(record.path, path) for record, path in found if path is not None]
        self._warn_of_cut_ids([path for _, path in paths])
        _warn_of_shared_maps(paths)

    def _missing(self, missing: list[ImageRecord], total: int) -> UserError:
        first = self.folder / self.patterns[0].format(path=self._places(missing[0])[-1].as_posix())
        wrong = f"{len(missing)} of {total} images have no label map, first {missing[0].path}: no {first}"
        empty = f"Add them, or count them as background: {setting('missing=empty')}"
        beside = self._beside(missing[0])
        if beside is None:
            return UserError(wrong, empty)
        path, end = beside
        if path.suffix.lower() in OTHER_SUFFIXES:
            why = "which changes class ids" if path.suffix.lower() in (".jpg", ".jpeg") else "which is not read"
            return UserError(f"{wrong}; {path.name} is there, {why}", "Save the ids as PNG or .npy.")
        return UserError(f"{wrong}, but {path.name} is there", f"If it is the map: {setting(f'pattern={{path}}{end}')}")

    def _beside(self, record: ImageRecord) -> tuple[Path, str] | None:
        """A file that may be the image's map under another name, and the end of that name."""
        for place in self._places(record):
            folder = (self.folder / place).parent
            names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
            ends = [name[len(place.name) :] for name in names if name.startswith(place.name)]
            ends = [end for end in ends if not end[:1].isalnum() and folder / f"{place.name}{end}" != record.path]
            for kinds in (SUFFIXES, OTHER_SUFFIXES):
                if found := [end for end in ends if end.lower().endswith(kinds)]:
                    return folder / f"{place.name}{found[0]}", found[0]
        return None

    def _warn_of_cut_ids(self, found: list[Path]) -> None:
        """Tools that save a palette of few colours cut larger ids without a word, Pillow among them."""
        largest = len(self.lookup) - 1
        small = [(path, bits) for path in found if 0 < (bits := bits_per_pixel(path)) < largest.bit_length()]
        if small:
            path, bits = small[0]
            logger.warning(
                f"masks: {len(small)} of {len(found)} label maps have too few bits for the ids of "
                f"table {self.options.table}, first {path}: {bits} bits hold 0 to {2**bits - 1}, it goes to {largest}. "
                "If larger ids were cut when they were saved, save them with a palette of 256 colours."
            )

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        return [labeled(self._mask(record, image)) for record, image in zip(records, images, strict=True)]

    def _mask(self, record: ImageRecord, image: np.ndarray) -> np.ndarray:
        path = self.find(record)
        size = image.shape[0], image.shape[1]
        return np.full(size, BACKGROUND, np.uint8) if path is None else self.maps.parts(path, size)


def _quiet(name: str) -> str:
    """Name with its suffix in small letters."""
    start, end = os.path.splitext(name)
    return start + end.lower()


def _warn_of_shared_maps(found: list[tuple[Path, Path]]) -> None:
    """Two images whose names differ in the suffix alone have one map, which shows one of them.

    found: (image, label map).
    """
    users: dict[Path, Path] = {}
    for image, path in found:
        if users.setdefault(path, image) != image:
            logger.warning(f"masks: {users[path]} and {image} have the same label map, {path}")
            return


def _is_pattern(pattern: str) -> bool:
    try:
        named = pattern.format(path="\0") != pattern
    except (KeyError, IndexError, ValueError):
        return False
    return not pattern or (named and pattern.lower().endswith(SUFFIXES))
