"""Checks of label maps before they are imported.

Reads a sample of the maps.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.datasets.image_files import read_size
from pipeline.datasets.label_maps import LabelMaps, setting
from pipeline.datasets.mask_files import bits_per_pixel
from pipeline.datasets.table_fit import IdStatistics, better
from pipeline.errors import UserError
from pipeline.io.packed import PackedSequence
from pipeline.io.texts import Texts, first_equal
from sorn.parts import BACKGROUND

logger = logging.getLogger(__name__)

SAMPLE = 40  # maps that are looked at
Pair = tuple[Path, Path]  # image, label map
Item = TypeVar("Item")


class MapPairs(PackedSequence[Pair]):
    """Images, each with its label map.

    They are texts: a Path takes ten times the memory.
    """

    def __init__(self) -> None:
        self.images, self.maps = Texts(), Texts()

    def add(self, image: Path, path: Path | None) -> bool:
        """One more pair, if the image has a map.

        Returns whether it has.
        """
        if path is not None:
            self.images.append(str(image))
            self.maps.append(str(path))
        return path is not None

    def __len__(self) -> int:
        return len(self.maps)

    def item(self, row: int) -> Pair:
        return Path(self.images[row]), Path(self.maps[row])


def check_maps(maps: LabelMaps, pairs: Sequence[Pair]) -> None:
    """Checks of all pairs of an image and its label map.

    Of some of the maps the ids are read. Warnings are logged. Raises UserError for a map of two images, for one of
    those maps that cannot be used, and where no map shows any part of a person.
    """
    _check_shared(pairs)
    if not maps.layered:
        _warn_of_cut_ids(maps, pairs)
    sample = evenly(pairs, SAMPLE)
    statistics = IdStatistics()
    seen = [_shows_person(maps, pair, statistics) for pair in sample]
    if False in seen and True not in seen:
        _require_person(maps, (pair for pair in pairs if pair not in sample), len(pairs))
    name, reason = ("", "") if maps.layered else better(maps.table, maps.lookup, statistics)
    if name:
        logger.warning(
            f"masks: table {maps.table} does not fit the label maps, {len(statistics.maps)} of which were looked at: "
            f"{reason}. Table {name} fits them: {setting(f'table={name}')}"
        )


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many items, at equal distances."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places.tolist()]


def _shows_person(maps: LabelMaps, pair: Pair, statistics: IdStatistics) -> bool | None:
    """Whether a map shows any part of a person; None where its image cannot be read."""
    image, path = pair
    try:
        width, height = read_size(image)
    except UserError:
        return None
    if maps.layered:
        return bool(maps.parts(path, (height, width)).any())
    ids = maps.ids(path, (height, width))
    statistics.add(ids)
    return bool((maps.lookup[ids] != BACKGROUND).any())


def _require_person(maps: LabelMaps, pairs: Iterable[Pair], total: int) -> None:
    if any(_shows_person(maps, pair, IdStatistics()) for pair in pairs):
        return
    if maps.layered:
        wrong = f"none of {total} files of {maps.table} has a score of {maps.threshold:g} anywhere"
        raise UserError(wrong, f"Look at their scores, or lower the threshold: {setting('threshold=0.3')}")
    wrong = f"none of {total} label maps shows any part of a person: table {maps.table} calls all their ids background"
    raise UserError(wrong, "See what they hold, and in which channel: sorn masks probe FOLDER")


def _check_shared(pairs: Sequence[Pair]) -> None:
    """Images whose names differ in the suffix alone may have one map, which shows one of them; others may not."""
    first = first_equal(Texts(str(path) for _, path in pairs))
    warned = False
    for number in np.flatnonzero(first != np.arange(len(pairs))).tolist():
        (other, _), (image, path) = pairs[int(first[number])], pairs[number]
        if other == image:
            continue
        if other.with_suffix("") != image.with_suffix(""):
            wrong = f"{other} and {image} have the same label map, {path}, which can show one of them only"
            own = f"{other.name}{path.suffix}, {image.name}{path.suffix}"
            raise UserError(wrong, f"Give each its own, with its whole name: {own}.")
        if not warned:
            logger.warning(f"masks: {other} and {image} have the same label map, {path}")
            warned = True


def _warn_of_cut_ids(maps: LabelMaps, pairs: Sequence[Pair]) -> None:
    """Tools that save a palette of few colours cut larger ids without a word, Pillow among them."""
    largest = len(maps.lookup) - 1
    small = [(path, bits) for _, path in pairs if 0 < (bits := bits_per_pixel(path)) < largest.bit_length()]
    if small:
        path, bits = small[0]
        logger.warning(
            f"masks: {len(small)} of {len(pairs)} label maps have too few bits for the ids of "
            f"table {maps.table}, first {path}: {bits} bits hold 0 to {2**bits - 1}, it goes to {largest}. "
            "If larger ids were cut when they were saved, save them with a palette of 256 colours."
        )
