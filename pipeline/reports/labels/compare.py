"""Comparison of two labelers: comparison.json, comparison.md and a picture."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.evaluation.label_comparison import ComparedLabels, LabelComparison, UnmatchedImages
from pipeline.evaluation.label_statistics import NAMED, StoredLabels
from pipeline.evaluation.mask_metrics import BATCH, Agreement, Stripes, measure
from pipeline.io.files import write_json, write_text
from pipeline.io.images import resize_mask
from pipeline.reports.canvas import SheetTitle
from pipeline.reports.labels import text as label_text
from pipeline.reports.labels.build import short_text
from pipeline.reports.pictures import Overlaid, draw_overlays
from pipeline.runs.config import Config
from pipeline.runs.find import find_output
from pipeline.runs.layout import INDEX
from pipeline.runs.result_paths import ComparisonPaths
from sorn.parts import CLASSES
from sorn.sample import Status

logger = logging.getLogger(__name__)

SEED = 0  # of the images drawn for the picture
SHOWN_WORST, SHOWN_RANDOM = 12, 8
NAMED_WORST = 20  # images that agree least, by name
PROBED = 16  # images whose pixels must be the same, to tell two datasets with equal names apart


def find_index(runs: Path, given: str) -> Path:
    """Path of the index.json of some labels.

    given: the name of a run, or the path of its folder, of its masks folder, or of the file. Raises UserError with a
    list of the runs if there are no such labels.
    """
    folder = find_output(given, runs, "masks", INDEX)
    if folder is not None:
        return folder / INDEX
    known = sorted(path.parents[1].name for path in runs.glob("*/masks/index.json"))
    raise UserError(
        f"there are no labels of '{given}', neither in {runs} nor as a path",
        f"Runs with labels: {', '.join(known) or 'none'}. Run `make masks`, or name the folder with --runs.",
    )


def label_name(index: Path) -> str:
    """Name of labels: that of the folder around `masks`."""
    folder = index.absolute().parent
    return folder.parent.name if folder.name == "masks" else folder.name


def compare_labels(config: Config, indices: tuple[Path, Path], files: ComparisonPaths) -> LabelComparison:
    """Compare the labels of the images in both runs; write the files.

    indices: index.json of A and of B. Raises UserError if the runs do not have the same images.
    """
    a, b = (StoredLabels(index) for index in indices)
    names = [label_name(index) for index in indices]
    pairs = common_images(a, b, names)
    both = pairs[a.seen[pairs[:, 0]] & b.seen[pairs[:, 1]]]
    if len(both) == 0:
        wrong = f"no image was labelled in both '{names[0]}' and '{names[1]}'"
        raise UserError(wrong, "Label the same splits in both: --set 'masks.splits=[\"train\"]'.")
    stripes = Stripes.of(config)
    agreement = _measure(a, b, both, stripes, config.runtime.workers)
    sides = zip("AB", names, indices, (a, b), strict=True)
    report = LabelComparison(
        labels={key: _described(name, index, side) for key, name, index, side in sides},
        only_in_a=_unmatched(a, pairs[:, 0]),
        only_in_b=_unmatched(b, pairs[:, 1]),
        images=len(pairs),
        status=_cross_table(a.status[pairs[:, 0]], b.status[pairs[:, 1]]),
        agreement=agreement.figures(),
        worst=agreement.worst(a.names.at(both[:, 0]), NAMED_WORST),
    )
    _draw(files, a, b, both, agreement)
    write_json(files.json, report.to_json())
    picture = files.picture.relative_to(files.markdown.parent).as_posix()
    write_text(files.markdown, "\n".join(label_text.comparison(report, picture)) + "\n")
    logger.info("\n".join(label_text.comparison_lines(report, str(files.markdown))))
    return report


def common_images(a: StoredLabels, b: StoredLabels, names: list[str]) -> np.ndarray:
    """Positions in A and in B of the images in both, int64 [n, 2].

    They are in the order of A. names: of the two runs. Raises UserError if they are not labels of the same images.
    """
    in_b = {name: number for number, name in enumerate(b.names)}
    common = [(number, in_b[name]) for number, name in enumerate(a.names) if name in in_b]
    pairs = np.array(common, np.int64).reshape(-1, 2)
    different = _different(a, b, pairs)
    if len(pairs) == 0 or different:
        wrong = f"'{different}' is another image" if different else "no image has the same name"
        raise UserError(
            f"{names[0]} and {names[1]} are not labels of the same dataset: {wrong} in both",
            "Compare two labelers of one dataset, e.g. sorn masks compare market1501-densepose market1501-import",
        )
    return pairs


def _different(a: StoredLabels, b: StoredLabels, pairs: np.ndarray) -> str:
    """The name of an image whose person, camera or pixels differ; "" if none. Pixels can be told at one size only."""
    rows, columns = pairs[:, 0], pairs[:, 1]
    other = np.flatnonzero((a.pid[rows] != b.pid[columns]) | (a.camid[rows] != b.camid[columns]))
    if len(other):
        return a.names[int(rows[other[0]])]
    if a.index.image_size == b.index.image_size:
        for row, column in pairs[:: max(1, len(pairs) // PROBED)].tolist():
            if not np.array_equal(a.sample(row).image, b.sample(column).image):
                return a.names[int(row)]
    return ""


def _measure(a: StoredLabels, b: StoredLabels, both: np.ndarray, stripes: Stripes, workers: int) -> Agreement:
    def read(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ours, theirs = zip(*(_masks(a, b, row, column) for row, column in numbers.tolist()), strict=True)
        return np.stack(ours), np.stack(theirs)

    batches = [functools.partial(read, both[first : first + BATCH]) for first in range(0, len(both), BATCH)]
    return measure(batches, stripes, workers)


def _masks(a: StoredLabels, b: StoredLabels, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Both masks at A's size, to the nearest pixel."""
    return a.mask(row), resize_mask(b.mask(column), a.index.image_size)


def _described(name: str, index: Path, labels: StoredLabels) -> ComparedLabels:
    found = labels.index
    return ComparedLabels(name, str(index), found.labeler, found.fingerprint, found.image_size, len(labels))


def _unmatched(labels: StoredLabels, matched: np.ndarray) -> UnmatchedImages:
    rest = np.ones(len(labels), bool)
    rest[matched] = False
    return UnmatchedImages(int(rest.sum()), tuple(labels.names.at(np.flatnonzero(rest)[:NAMED])))


def _cross_table(a: np.ndarray, b: np.ndarray) -> dict[str, dict[str, int]]:
    """Status in A -> status in B -> images; only what occurs, in the order of the statuses' numbers."""
    counts = Counter(zip(a.tolist(), b.tolist(), strict=True))
    table: dict[str, dict[str, int]] = {}
    for (ours, theirs), images in sorted(counts.items()):
        table.setdefault(Status(ours).name.lower(), {})[Status(theirs).name.lower()] = images
    return table


def _draw(files: ComparisonPaths, a: StoredLabels, b: StoredLabels, both: np.ndarray, agreement: Agreement) -> None:
    def overlaid(number: int) -> Overlaid:
        row, column = both[number].tolist()
        ours, theirs = _masks(a, b, row, column)
        sample = a.sample(row)
        text = short_text(ours, theirs, agreement.stripes)
        return Overlaid(sample.image, {"A": ours, "B": theirs}, (sample.name, text))

    drawn = np.random.default_rng(SEED).permutation(len(both))[:SHOWN_RANDOM]
    chosen = {
        f"Agree least of {len(both):,}: fewest stripes, then lowest mIoU": agreement.worst_first()[:SHOWN_WORST],
        f"Drawn at random (seed {SEED})": drawn,
    }
    sections = {heading: [overlaid(number) for number in numbers.tolist()] for heading, numbers in chosen.items()}
    labelers = [side.index.labeler.name for side in (a, b)]
    title = SheetTitle("Two labelers", f"A: {labelers[0]}   B: {labelers[1]}")
    draw_overlays(files.picture, title, len(CLASSES), sections)
