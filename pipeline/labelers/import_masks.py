"""Labeler `import`: label maps of another tool, by a class table.

Reads index PNGs or .npy, and the table.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.mask_files import SUFFIXES, bits_per_pixel, fit, read_label_map, to_parts
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
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

    def __post_init__(self) -> None:
        check(bool(self.folder), "folder", self.folder, "the folder of the label maps")
        check(bool(self.table), "table", self.table, "a class table such as lip20, densepose24 or mine.csv")
        check_choice("hands", self.hands, tuple(HANDS))
        check_choice("missing", self.missing, ("error", "empty"))


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

    def describe(self) -> Mapping[str, object]:
        described = describe(self.name, self.version, self.options)
        # Their contents are in `inputs`.
        places = {"folder": FilePlace(self.options.folder), "table": FilePlace(self.options.table)}
        return described | {"options": dataclasses.asdict(self.options) | places}

    def find(self, record: ImageRecord) -> Path | None:
        """The image's label map, or None."""
        places: list[PurePath] = [PurePath(record.name)]
        if record.path.is_relative_to(self.root):
            places.insert(0, record.path.relative_to(self.root))
        candidates = (self.folder / place.with_suffix(suffix) for place in places for suffix in SUFFIXES)
        return next((path for path in candidates if path.is_file()), None)

    def inputs(self, records: list[ImageRecord]) -> dict[str, str]:
        paths = map(self.find, records)
        maps = files_digest(self.folder, (path for path in paths if path is not None))
        return {"label maps": maps, "class table": digest_json(self.lookup.tolist())}

    def prepare(self, records: list[ImageRecord], runtime: Runtime) -> None:
        if not self.folder.is_dir():
            raise UserError(
                f"there is no folder '{self.folder}'", "Name the label maps: --set masks.options.folder=..."
            )
        missing = [record for record in records if self.find(record) is None]
        if missing and (self.options.missing == "error" or len(missing) == len(records)):
            first = self.folder / PurePath(missing[0].name).with_suffix(SUFFIXES[0])
            raise UserError(
                f"{len(missing)} of {len(records)} images have no label map, first {missing[0].path}: no {first}",
                "Add them, or count them as background: --set masks.options.missing=empty",
            )
        self._warn_of_cut_ids(records)

    def _warn_of_cut_ids(self, records: list[ImageRecord]) -> None:
        """Tools that save a palette of few colours cut larger ids without a word, Pillow among them."""
        largest, found = len(self.lookup) - 1, [path for path in map(self.find, records) if path is not None]
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
        if path is None:
            return np.full(image.shape[:2], BACKGROUND, np.uint8)
        return fit(to_parts(read_label_map(path), self.lookup, path, self.options.table), image.shape[:2], path)
