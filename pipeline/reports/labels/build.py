"""Report of a run's labels: labels.json, labels.md and pictures/labels.png.

It is made from shards, records.csv and ground truth. Without ground truth no torch is imported.
"""

from __future__ import annotations

import functools
import logging
import shutil
from pathlib import Path

import numpy as np

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.marks import Marks
from pipeline.evaluation.label_report import ExactSample, LabelledDataset, LabelReport, LabelStatistics
from pipeline.evaluation.label_statistics import StoredLabels, statistics
from pipeline.evaluation.mask_metrics import BATCH, Agreement, Stripes, measure
from pipeline.io.files import write_json, write_text
from pipeline.reports.canvas import SheetTitle
from pipeline.reports.labels import text as label_text
from pipeline.reports.pictures import Overlaid, draw_overlays
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.shards.index import read_index
from sorn.parts import CLASSES
from sorn.sample import Status

logger = logging.getLogger(__name__)

SEED = 0  # of the images that are compared and shown
COMPARED = 500  # images compared with ground truth: a share of 1 % wrong stripes is then known to 0.3 points in 1 s
SHOWN_RANDOM, SHOWN_WORST, SHOWN_STATUS = 8, 4, 4  # images in the sections of the contact sheet
NAMED_WORST = 20  # images that agree least, in the JSON
SHEET = "labels.png"
NO_MARKS = Marks()


def write_label_report(run: Run, marks: Marks = NO_MARKS) -> list[Path]:
    """Write the report of the finished shards; returns the files.

    The figures are logged. marks: of the images that were left out.

    Raises UserError for a ground-truth mask that cannot be one of its image.
    """
    config, paths, manifest = run.config, run.paths, run.manifest
    exact = ExactMasks(manifest, run.root, run.records)
    stored = read_index(paths.shard_index).splits
    labelled = [split for split in SPLITS if split in stored and split in config.masks.splits]
    labels = StoredLabels(paths.shard_index, labelled or list(stored))
    available = np.array([n for n in np.flatnonzero(labels.used) if exact.path(labels.names[int(n)])], np.int64)
    compared = np.sort(np.random.default_rng(SEED).permutation(available)[:COMPARED])
    stripes = Stripes.of(config)
    agreement = against_exact(labels, exact, compared, stripes, config.runtime.workers) if len(compared) else None
    pixels = labels.pixels()
    shown = _sections(labels, pixels, compared, agreement)
    total, by_split = _statistics(labels, pixels, compared, agreement)
    worst = agreement.worst(labels.names.at(compared), NAMED_WORST) if agreement is not None else ()
    report = LabelReport(
        dataset=LabelledDataset(manifest.name, manifest.title, manifest.licence, manifest.notice),
        labeler=labels.index.labeler,
        fingerprint=labels.index.fingerprint,
        image_size=labels.index.image_size,
        splits=by_split,
        total=total,
        exact=ExactSample(len(compared), len(available), SEED, worst),
        left_out=marks.counts(),
        marks_gone=marks.gone,
        shown={heading: tuple(labels.names.at(numbers)) for heading, numbers in shown.items()},
    )
    pictures = _draw(paths, labels, exact, shown, stripes)
    where = pictures[0].relative_to(paths.label_report_md.parent).as_posix() if pictures else ""
    write_json(paths.label_report_json, report.to_json())
    write_text(paths.label_report_md, "\n".join(label_text.markdown(report, where)) + "\n")
    logger.info("\n".join(label_text.terminal_lines(report, str(paths.settled.label_report_md))))
    if doubts := label_text.doubts(report):
        logger.warning(f"labels: {' '.join(doubts)}")
    return [paths.label_report_json, paths.label_report_md, *pictures]


def against_exact(
    labels: StoredLabels, exact: ExactMasks, compared: np.ndarray, stripes: Stripes, workers: int
) -> Agreement:
    """Agreement with ground truth of some images.

    compared: their positions in the labels, int64 [n].
    """

    def read(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        references = [exact.read(labels.names[int(number)], labels.index.image_size) for number in numbers]
        assert all(reference is not None for reference in references), "they were there a moment ago"
        return np.stack([labels.mask(number) for number in numbers]), np.stack(references)  # type: ignore[arg-type]

    batches = [compared[first : first + BATCH] for first in range(0, len(compared), BATCH)]
    return measure([functools.partial(read, batch) for batch in batches], stripes, workers)


def _statistics(
    labels: StoredLabels, pixels: np.ndarray, compared: np.ndarray, agreement: Agreement | None
) -> tuple[LabelStatistics, dict[str, LabelStatistics]]:
    """Statistics of all images, and of each split."""

    def of(chosen: np.ndarray) -> LabelStatistics:
        rows = chosen[compared]
        exact = agreement.of(rows).figures() if agreement is not None and rows.any() else None
        return statistics(labels, pixels, chosen, exact)

    return of(np.ones(len(labels), bool)), {split: of(labels.split == split) for split in labels.splits}


def _sections(
    labels: StoredLabels, pixels: np.ndarray, compared: np.ndarray, agreement: Agreement | None
) -> dict[str, np.ndarray]:
    """Heading -> positions of the images shown under it."""
    sections: dict[str, np.ndarray] = {}
    ok = np.flatnonzero(labels.status == Status.OK)
    if len(ok):
        drawn = np.random.default_rng(SEED).permutation(ok)[:SHOWN_RANDOM]
        sections[f"{len(drawn)} of {len(ok):,} ok images, drawn at random (seed {SEED})"] = drawn
    if agreement is not None:
        worst = compared[agreement.worst_first()]
        worst = worst[labels.status[worst] != Status.EMPTY][:SHOWN_WORST]  # those have a section of their own
        sections[f"The worst of {len(compared):,} compared with ground truth: fewest stripes, then lowest mIoU"] = worst
    elif len(ok):
        least = ok[np.argsort(-pixels[ok, 0], kind="stable")[:SHOWN_WORST]]
        sections[f"The least foreground of {len(ok):,} ok images"] = least
    for kind in (Status.EMPTY, Status.LOW_RESOLUTION, Status.SEVERAL_PEOPLE, Status.LEFT_OUT):
        alike = np.flatnonzero(labels.status == kind)
        if len(alike):
            heading = f"{label_text.words(kind.name.lower())}: the first of {len(alike):,}"
            sections[heading] = alike[:SHOWN_STATUS]
    return {heading: numbers for heading, numbers in sections.items() if len(numbers)}


def _draw(
    paths: Paths, labels: StoredLabels, exact: ExactMasks, shown: dict[str, np.ndarray], stripes: Stripes
) -> list[Path]:
    """Draw the contact sheet and replace the folder's content; no file if no image was labelled."""
    shutil.rmtree(paths.label_pictures, ignore_errors=True)
    if not shown:
        return []

    def overlaid(number: int) -> Overlaid:
        sample = labels.sample(number)
        masks, text = {"labelled": sample.mask}, f"foreground {np.mean(sample.mask > 0):.0%}"
        reference = exact.read(sample.name, labels.index.image_size)
        if reference is not None:
            masks["ground truth"] = reference
            text = short_text(sample.mask, reference, stripes)
        return Overlaid(sample.image, masks, (sample.name, text))

    path = paths.label_pictures / SHEET
    sections = {heading: [overlaid(number) for number in numbers] for heading, numbers in shown.items()}
    draw_overlays(path, SheetTitle("Labels", labels.index.labeler.name), len(CLASSES), sections)
    return [path]


def short_text(mask: np.ndarray, reference: np.ndarray, stripes: Stripes) -> str:
    """Text beneath one image in a picture; masks [H, W] uint8."""
    agreement = measure([lambda: (np.stack([mask]), np.stack([reference]))], stripes)
    count = agreement.true.shape[1]
    same = round(float(agreement.stripe_agreement()[0]) * count)
    return f"mIoU {agreement.image_iou()[0]:.0%}" + (f", {same} of {count} stripes" if count else "")
