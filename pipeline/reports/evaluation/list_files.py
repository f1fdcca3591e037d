"""Ranked lists of every query beside report.html: scripts and sheets of pictures.

A page that opens from disk reads no other files than scripts and images. So the answers are scripts, which the page
loads when a list is opened. Every picture is drawn once, in however many lists it stands.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.scores import Scores
from pipeline.io.files import write_text
from pipeline.reports.canvas import width_at
from pipeline.reports.evaluation.illustrations import ROW_LABELS
from pipeline.reports.sheets import COLUMNS, ROWS, SHEET, photograph_sheet, write_images
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import Progress
from sorn.answers import NOBODY
from sorn.config import OF_PARTS
from sorn.features import FeatureBank
from sorn.pair_details import pair_details
from sorn.parts import PART_TAU, group_names
from sorn.rules import Rule
from sorn.sample import Sample

HEIGHT = 160  # of a thumbnail, pixels at most
QUERY, GALLERY = "query", "gallery"  # keys of the sheets
DIGITS = 3  # of similarities in the files
COUNTED = {"sorn": "both", "sorn+parts": "both", "global+local": "all"}  # stripes that a variant adds up; else none


@dataclass(frozen=True)
class ListedVariant:
    """A variant in the lists.

    rule: what it compares. stripes: which of them it adds up: "both" (visible in both images), "all" or "none". parts:
    whether it adds up the part groups visible in both images.
    """

    variant: str
    rule: str
    stripes: str
    parts: bool


@dataclass(frozen=True)
class ListIndex:
    """What report.html must know to open the lists.

    folder: of the lists, relative to the page. sheet: columns, rows, and width and height of a thumbnail. groups: names
    of the part groups.
    """

    folder: str
    sheet: dict[str, int]
    variants: list[ListedVariant]
    groups: list[str]


@dataclass(frozen=True)
class RankedQueries:
    """All queries, and what their lists are made from.

    sample_of: image of a name. tau, part_tau: thresholds of visible stripes and part groups.
    """

    scores: Scores
    sample_of: Callable[[str], Sample]
    tau: float
    part_tau: float = PART_TAU

    @cached_property
    def drawn(self) -> np.ndarray:
        """Gallery images that stand in a list, int64, rising."""
        found = [array for one in self.scores.answers.values() for array in (one.answers.positions, one.answers.match)]
        positions = np.unique(np.concatenate([array.ravel() for array in found]))
        drawn: np.ndarray = positions[positions != NOBODY]
        return drawn

    @cached_property
    def index(self) -> list[ListedVariant]:
        return [
            ListedVariant(name, ROW_LABELS[name].removeprefix(f"{name}: "), COUNTED.get(name, "none"), name in OF_PARTS)
            for name in self.scores.answers
        ]

    @property
    def groups(self) -> list[str]:
        """Names of the part groups of the network."""
        shares = self.scores.query.features.part_shares
        return list(group_names(shares.shape[1])) if shares.shape[1] else []

    def columns(self) -> dict[str, list[str]]:
        """Columns of the gallery images that stand in a list; the variants."""
        gallery, names, drawn = self.scores.gallery, self.scores.names, self.drawn
        stripes, parts = self._seen(gallery.take(drawn))
        return {
            "name": [str(name) for name in gallery.name[drawn]],
            "person": [names.person(int(pid)) for pid in gallery.pid[drawn]],
            "camera": [names.camera(int(camid)) for camid in gallery.camid[drawn]],
            "visible": stripes,
            "parts": parts,
            "variants": list(self.scores.answers),
        }

    def query(self, number: int) -> dict[str, object]:
        """Name of a query, its visible stripes and part groups, its lists.

        second: those of its second view, if it has one.
        """
        bank = self.scores.query.take(np.array([number]))
        (stripes,), (parts,) = self._seen(bank)
        lists = [self._list(variant, number) for variant in self.scores.answers]
        found: dict[str, object] = {"name": str(bank.name[0]), "visible": stripes, "parts": parts, "lists": lists}
        if bank.second is None:
            return found
        (stripes,), (parts,) = self._seen(bank.second.bank)
        return found | {"second": {"visible": stripes, "parts": parts}}

    def _list(self, variant: str, number: int) -> list[object]:
        """Rank of the first match (0 without one), and the answers.

        An answer is its place among `drawn`, its rank, 1 for the same person, its similarity, and those of the global
        features, the stripes and the part groups; of a query with two views, also 1 where they are of the second one.
        """
        scores, first = self.scores, self.scores.answers[variant]
        positions, ranks, similarity = first.of(number)
        right = np.isin(positions, scores.relevant.matches[number])
        details = pair_details(scores.query, number, scores.gallery, positions, Rule(variant, self.tau, self.part_tau))
        scores.gallery.forget()
        parts = details.parts if variant in OF_PARTS else details.parts[:, :0]
        rows = zip(
            np.searchsorted(self.drawn, positions).tolist(),
            ranks.tolist(),
            right.astype(int).tolist(),
            _rounded(similarity),
            [None if np.isnan(value) else value for value in _rounded(details.whole)],
            _rounded(details.stripes),
            _rounded(parts),
            [[1] if second else [] for second in details.second],
            strict=True,
        )
        return [int(first.first_hit[number]), [[*row, *second] for *row, second in rows]]

    def _seen(self, bank: FeatureBank) -> tuple[list[str], list[str]]:
        """Visible stripes and part groups of every image, a digit each: "110"."""
        parts = bank.features.part_shares
        return _bits(bank.visibility >= np.float32(self.tau)), _bits(parts >= np.float32(self.part_tau))


def write_lists(folder: Path, queries: RankedQueries, workers: int) -> ListIndex | None:
    """Write scripts and sheets of all queries.

    They replace what the folder holds. workers: threads; they change no file. None where no lists are wanted.
    """
    shutil.rmtree(folder, ignore_errors=True)
    scores = queries.scores
    if not scores.answers or not len(scores.query):
        return None
    full = queries.sample_of(str(scores.query.name[0])).image
    height = min(HEIGHT, full.shape[0])
    size = (height, max(1, width_at(full, height)))
    sides = {QUERY: np.arange(len(scores.query)), GALLERY: queries.drawn}

    def write(side: str, sheet: int) -> int:
        numbers = sides[side][sheet * SHEET : (sheet + 1) * SHEET]
        bank = scores.query if side == QUERY else scores.gallery
        images = [queries.sample_of(str(bank.name[number])).image for number in numbers]
        write_images(folder / photograph_sheet(side, sheet), images, size)
        if side == QUERY:
            piece = [queries.query(int(number)) for number in numbers]
            write_text(folder / piece_name(sheet), script(f"pieces[{sheet}]", piece))
        return len(numbers)

    write_text(folder / f"{GALLERY}.js", script(GALLERY, queries.columns()))
    sheets = [(side, sheet) for side, numbers in sides.items() for sheet in range(-(-len(numbers) // SHEET))]
    with (
        closing(ahead(write, sheets, workers)) as written,
        Progress(sum(map(len, sides.values())), "ranked lists", "pictures") as shown,
    ):
        for count in written:
            shown.advance(count)
    sheet = {"columns": COLUMNS, "rows": ROWS, "width": size[1], "height": size[0]}
    return ListIndex(folder.name, sheet, queries.index, queries.groups)


def piece_name(number: int) -> str:
    """File of the answers to the queries of one sheet."""
    return f"answers-{number:05d}.js"


def script(name: str, value: object) -> str:
    """Script that puts a JSON value into the page."""
    return f"LISTS.{name} = {json.dumps(value, separators=(',', ':'))};\n"


def script_value(path: Path) -> Any:
    """JSON value of a script of the lists.

    Raises OSError or ValueError for a file that is missing or damaged.
    """
    return json.loads(path.read_text(encoding="utf-8").partition(" = ")[2].rstrip(";\n"))


def _rounded(values: np.ndarray) -> list[float]:
    rounded: list[float] = (np.round(values.astype(np.float64), DIGITS) + 0.0).tolist()
    return rounded


def _bits(seen: np.ndarray) -> list[str]:
    return ["".join("1" if one else "0" for one in row) for row in seen]
