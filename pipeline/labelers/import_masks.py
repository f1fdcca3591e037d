"""Labeler `import`: label maps of another tool, by a class table.

Reads PNG, .npy or .npz, and the table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.label_maps import LabelMaps, setting
from pipeline.datasets.mask_files import OTHER_SUFFIXES, SUFFIXES
from pipeline.datasets.mask_sizes import FITS, SHAPE
from pipeline.datasets.mask_values import CHANNELS
from pipeline.datasets.records import ImageRecord
from pipeline.datasets.score_layers import THRESHOLD
from pipeline.errors import LostFile, UserError
from pipeline.io.digests import FilePlace
from pipeline.io.files import digest_json
from pipeline.labelers.base import Labeled, Source, describe, labeled, read_options
from pipeline.labelers.import_checks import MapPairs, check_maps
from pipeline.labelers.map_names import NAME, PATH, MapNames, is_pattern
from pipeline.runs.config import Runtime
from sorn.config import check, check_choice
from sorn.parts import BACKGROUND

DEFAULT_PATTERNS = tuple(PATH + end for end in SUFFIXES)


@dataclass(frozen=True)
class ImportOptions:
    folder: str = ""
    # Holds one label map per image, .png or .npy, under the image's path below the dataset's folder or under its name
    # (split/path): the image bounding_box_train/0002_c1s1.jpg has the map FOLDER/bounding_box_train/0002_c1s1.png.
    table: str = ""
    # What the values mean: a shipped class table, or the path of your own (docs/formats.md).
    hands: str = "lower_arm"
    # Class of hands where the table tells them apart: DensePose has no separate hand in the paper's eight classes.
    missing: str = "error"
    # Image without a label map: "error", or "empty" for an all-background mask with status EMPTY.
    pattern: str = ""
    # Where the map of an image lies under the folder. {path} is the image's path without its suffix, {name} the name of
    # its file alone. Sapiens writes {name}_seg.npy. "" looks for {path}.png, {path}.npy and {path}.npz.
    channel: str = ""
    # Channel that holds the ids where several differ: "red", "green" or "blue", as the file has them.
    ignore: tuple[int, ...] | int = ()
    # Values that become background, such as 255 where a tool marks pixels without a class.
    fit: str = SHAPE
    # How the image lies in its map: "shape" refuses another aspect ratio than the image's. For maps of one size:
    # "stretched" over it, "letterboxed" in its middle, "padded" at the right and at the bottom.
    threshold: float = THRESHOLD
    # Score from which a pixel shows a part, for tables of scores (pifpaf36): BPBReID's own.

    def __post_init__(self) -> None:
        check(bool(self.folder), "folder", self.folder, "the folder of the label maps")
        check(bool(self.table), "table", self.table, "a class table such as lip20, densepose24 or mine.csv")
        check_choice("hands", self.hands, tuple(HANDS))
        check_choice("missing", self.missing, ("error", "empty"))
        known = not self.pattern or is_pattern(self.pattern)
        check(known, "pattern", self.pattern, f"{PATH} or {NAME}, and an end in {', '.join(SUFFIXES)}")
        check(self.channel in ("", *CHANNELS), "channel", self.channel, f"one of {', '.join(CHANNELS)}")
        check_choice("fit", self.fit, FITS)
        check(0 < self.threshold < 1, "threshold", self.threshold, "a number in (0, 1)")


# Options that runs of earlier releases do not have: they enter the fingerprint where they are set.
LATER = ("pattern", "channel", "ignore", "fit", "threshold")


class ImportMasks:
    """Labeler with one label map per image, of any size.

    The map has the image's shape.
    """

    name = "import"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(ImportOptions, self.name, options)
        chosen = self.options
        self.folder = Path(chosen.folder)
        self.lookup = load_table(chosen.table, chosen.hands)
        self.names = MapNames(self.folder, source.root, (chosen.pattern,) if chosen.pattern else DEFAULT_PATTERNS)
        ignore = (chosen.ignore,) if isinstance(chosen.ignore, int) else chosen.ignore
        self.maps = LabelMaps(chosen.table, self.lookup, chosen.channel, ignore, chosen.fit, chosen.threshold)

    def describe(self) -> Mapping[str, object]:
        unset = [name for name in LATER if getattr(self.options, name) == getattr(ImportOptions, name)]
        # The contents of the folder and of the table are in `inputs`.
        placed = dataclasses.replace(
            self.options, folder=FilePlace(self.options.folder), table=FilePlace(self.options.table)
        )
        return describe(self.name, self.version, placed, without=unset)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        self._require_folder()
        paths = map(self.names.find, records)
        maps = files_digest(self.folder, (path for path in paths if path is not None))
        return {"label maps": maps, "class table": digest_json(self.lookup.tolist())}

    def _require_folder(self) -> None:
        """Raise LostFile if the folder of the label maps is not there."""
        if not self.folder.is_dir():
            remedy = "Name the label maps: --set masks.options.folder=FOLDER"
            raise LostFile(f"there is no folder '{self.folder}'", remedy)

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        self._require_folder()
        self.names.clear()
        pairs = MapPairs()
        missing = [record for record in records if not pairs.add(record.path, self.names.find(record))]
        if missing and (self.options.missing == "error" or len(missing) == len(records)):
            raise self._missing(missing, len(records))
        check_maps(self.maps, pairs)

    def _missing(self, missing: list[ImageRecord], total: int) -> UserError:
        expected = self.names.expected(missing[0])
        wrong = f"{len(missing)} of {total} images have no label map, first {missing[0].path}: no {expected}"
        empty = f"Add them, or count them as background: {setting('missing=empty')}"
        beside = self.names.beside(missing[0])
        if beside is None:
            return UserError(wrong, empty)
        path, pattern = beside
        if path.suffix.lower() in OTHER_SUFFIXES:
            why = "which changes class ids" if path.suffix.lower() in (".jpg", ".jpeg") else "which is not read"
            return UserError(f"{wrong}; {path.name} is there, {why}", "Save the ids as PNG or .npy.")
        return UserError(f"{wrong}, but {path.name} is there", f"If it is the map: {setting(f'pattern={pattern}')}")

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        return [labeled(self._mask(record, image)) for record, image in zip(records, images, strict=True)]

    def _mask(self, record: ImageRecord, image: np.ndarray) -> np.ndarray:
        path = self.names.find(record)
        size = image.shape[0], image.shape[1]
        return np.full(size, BACKGROUND, np.uint8) if path is None else self.maps.parts(path, size)
