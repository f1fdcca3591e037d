"""Ranked lists of a finished evaluation, read from beside its report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.reports.evaluation.list_files import GALLERY, QUERY, script_value
from pipeline.reports.sheets import COLUMNS, ROWS, SHEET, photograph_sheet


@dataclass(frozen=True)
class StoredAnswer:
    """One answer. image: thumbnail [h, w, 3] uint8."""

    name: str
    person: str
    camera: str
    rank: int
    right: bool
    similarity: float
    image: np.ndarray


@dataclass(frozen=True)
class StoredList:
    """The answers to one query.

    image: thumbnail of the query [h, w, 3] uint8. first_hit: 0 without a match.
    """

    image: np.ndarray
    first_hit: int
    answers: list[StoredAnswer]


@dataclass(frozen=True)
class StoredLists:
    """Ranked lists in the folder of an evaluation."""

    folder: Path

    @cached_property
    def _gallery(self) -> dict[str, Any]:
        found: dict[str, Any] = script_value(self.folder / f"{GALLERY}.js")
        return found

    @cached_property
    def _queries(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Name -> number and content of every query."""
        queries = [query for path in sorted(self.folder.glob("answers-*.js")) for query in script_value(path)]
        return {query["name"]: (number, query) for number, query in enumerate(queries)}

    def find(self, query: str, variant: str, length: int) -> StoredList | None:
        """List of a query under a variant; None if not stored.

        length: answers at most. Raises OSError, ValueError or KeyError for damaged files.
        """
        if variant not in self._gallery["variants"] or query not in self._queries:
            return None
        number, content = self._queries[query]
        first, answers = content["lists"][self._gallery["variants"].index(variant)]
        return StoredList(
            _thumbnail(self.folder, QUERY, number), first, [self._answer(row) for row in answers[:length]]
        )

    def _answer(self, row: list[Any]) -> StoredAnswer:
        place, rank, right, similarity, *_ = row
        gallery = self._gallery
        name, person, camera = (gallery[key][place] for key in ("name", "person", "camera"))
        image = _thumbnail(self.folder, GALLERY, place)
        return StoredAnswer(name, person, camera, rank, bool(right), float(similarity), image)


def stored_lists(folder: Path) -> StoredLists | None:
    """Lists in a folder; None if there are none."""
    return StoredLists(folder) if (folder / f"{GALLERY}.js").is_file() else None


def _thumbnail(folder: Path, key: str, number: int) -> np.ndarray:
    sheet = _sheet(folder / photograph_sheet(key, number // SHEET))
    height, width = sheet.shape[0] // ROWS, sheet.shape[1] // COLUMNS
    row, column = divmod(number % SHEET, COLUMNS)
    return sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]


@lru_cache(maxsize=64)
def _sheet(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
