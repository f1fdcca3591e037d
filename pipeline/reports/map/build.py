"""Map of an evaluation's features, with a picture of every image: map.html.

Reads features.h5 and shards. The page is one file, which can be zoomed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import WRONG_OPTION, UserError
from pipeline.features.store import read_banks
from pipeline.io.documents import to_json
from pipeline.io.files import write_text
from pipeline.reports.html import Thumbnail, render
from pipeline.reports.map.projection import FEWEST, METHODS, TITLES, choose_method, project
from pipeline.reports.sheets import COLUMNS, ROWS, SHEET, photographs
from pipeline.runs.inputs import POSE
from pipeline.runs.run import Run
from pipeline.runtime.progress import progress
from pipeline.shards.dataset import ShardDataset
from sorn.features import FeatureBank

logger = logging.getLogger(__name__)

HEIGHT = 80  # of a thumbnail, pixels


@dataclass(frozen=True)
class MapOptions:
    """Options of a map.

    by: one of METHODS. images: number of images at most; whole persons are drawn until they are reached. seed: of the
    choice of persons and of the projection. out: None for map.html beside the report.
    """

    by: str = "auto"
    images: int = 2000
    seed: int = 0
    out: Path | None = None

    def __post_init__(self) -> None:
        if self.by not in METHODS:
            raise UserError(f"--by {self.by}: expected one of {', '.join(METHODS)}", WRONG_OPTION)
        if self.images < FEWEST:
            raise UserError(f"--images {self.images}: a map needs {FEWEST} or more", WRONG_OPTION)


@dataclass(frozen=True)
class MapColumns:
    """Images of the map, for its script.

    x, y: from 0 to 1. query: 1 for a query, 0 for a gallery image. sheet: columns, rows, and width and height of a
    thumbnail.
    """

    x: list[float]
    y: list[float]
    name: list[str]
    person: list[str]
    camera: list[str]
    query: list[int]
    sheet: dict[str, int]


@dataclass(frozen=True)
class MapPage:
    """View model of map.html. sheets: of the thumbnails."""

    title: str
    notice: str
    facts: str
    columns: MapColumns
    sheets: list[Thumbnail]

    @property
    def columns_json(self) -> object:
        """The columns for the script."""
        return to_json(self.columns)


def write_map(run: Run, options: MapOptions) -> Path:
    """Write the map of a finished evaluation; the path of the page.

    Raises UserError for a run without features or with fewer than FEWEST images, for a projection whose package is not
    installed, and for damaged files.
    """
    paths, method = run.paths, choose_method(options.by)
    run.finished("eval")
    banks = read_banks(paths.features)
    chosen = choose_images(banks.query, banks.gallery, options.images, options.seed)
    sides = [bank.take(rows) for bank, rows in zip((banks.query, banks.gallery), chosen, strict=True)]
    count = sum(map(len, sides))
    if count < FEWEST:
        wrong = f"{paths.features} has features of {count} images; a map needs {FEWEST}"
        raise UserError(wrong, "Evaluate more images.")
    features = np.concatenate([_whole(bank) for bank in sides])
    places, method = project(features, method, options.seed)
    sheets, size = _draw(run, sides)
    page = MapPage(
        f"Map of {run.summary.title or paths.dataset_name}",
        run.summary.notice,
        _facts(run, method, sides, len(banks.query) + len(banks.gallery), options.seed),
        _columns(run, sides, places, size),
        sheets,
    )
    path = options.out or paths.map
    write_text(path, render("map.html.j2", page))
    logger.info(f"map: {count:,} images by {TITLES[method]} on {path}")
    return path


def choose_images(query: FeatureBank, gallery: FeatureBank, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a map's images among queries and gallery, int64 each.

    They are rising. All of them, or those of persons drawn one after another while all their images fit into `most`.
    """
    pid = np.concatenate([query.pid, gallery.pid])
    if len(pid) > most:
        persons, group = np.unique(pid, return_inverse=True)
        order = np.random.default_rng(seed).permutation(len(persons))
        counts = np.bincount(group)[order].cumsum()
        kept = order[: max(1, int(np.searchsorted(counts, most, side="right")))]
        rows = np.flatnonzero(np.isin(group, kept))[:most]
    else:
        rows = np.arange(len(pid))
    return rows[rows < len(query)], rows[rows >= len(query)] - len(query)


def _whole(bank: FeatureBank) -> np.ndarray:
    """Global features, or those of all stripes where there are none, float32 [n, D]."""
    if bank.global_.shape[1]:
        return np.asarray(bank.global_)
    return np.asarray(bank.local).reshape(len(bank), -1)


def _draw(run: Run, sides: list[FeatureBank]) -> tuple[list[Thumbnail], tuple[int, int]]:
    """Sheets of the thumbnails, and height and width of one."""
    shards = [ShardDataset(run.paths.shard_index, split) for split in _splits(run)]
    found = {str(name): (data, row) for data in shards for row, name in enumerate(data.name)}
    names = [str(name) for bank in sides for name in bank.name]
    full, width = shards[0].image_size
    size = min(HEIGHT, full), max(1, round(min(HEIGHT, full) * width / full))
    parts = [names[first : first + SHEET] for first in range(0, len(names), SHEET)]
    sheets = []
    for part in progress(parts, len(names), "map", step=SHEET):
        images = [data[row].image for data, row in (found[name] for name in part)]
        sheets.append(Thumbnail.of(np.asarray(photographs(images, size)), size[0] * ROWS, ""))
    return sheets, size


def _splits(run: Run) -> list[str]:
    """Splits that were evaluated, as the stamp of the evaluation names them."""
    return [one.key for one in run.finished("eval").made_from if one.stage == "masks" and one.key != POSE]


def _columns(run: Run, sides: list[FeatureBank], places: np.ndarray, size: tuple[int, int]) -> MapColumns:
    names = run.names
    return MapColumns(
        x=places[:, 0].round(4).tolist(),
        y=places[:, 1].round(4).tolist(),
        name=[str(name) for bank in sides for name in bank.name],
        person=[names.person(int(pid)) for bank in sides for pid in bank.pid],
        camera=[names.camera(int(camid)) for bank in sides for camid in bank.camid],
        query=[1 - side for side, bank in enumerate(sides) for _ in range(len(bank))],
        sheet={"columns": COLUMNS, "rows": ROWS, "width": size[1], "height": size[0]},
    )


def _facts(run: Run, method: str, sides: list[FeatureBank], total: int, seed: int) -> str:
    queries, gallery = map(len, sides)
    drawn = "" if queries + gallery == total else f" of {total:,}: persons drawn at random, seed {seed}"
    return (
        f"{queries:,} queries and {gallery:,} gallery images{drawn}. The features of "
        f"{run.paths.trained_on or run.paths.run_name}, brought onto a plane by {TITLES[method]}: what is near here is "
        "similar, but what is similar need not be near. Matching does not use this map."
    )
