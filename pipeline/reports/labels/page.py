"""The labels page: every image with its mask, opened from disk.

Reads shards and ground truth; writes index.html, data.js and sheets of thumbnails. index.html is written last.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.marks import read_marks
from pipeline.evaluation.mask_metrics import Stripes
from pipeline.io.documents import to_json
from pipeline.io.files import write_text
from pipeline.reports.html import render
from pipeline.reports.labels.compare import find_index
from pipeline.reports.labels.page_data import LabelColumns, MeasuredImage, label_columns, measure_images
from pipeline.reports.labels.page_source import LabelsSource
from pipeline.reports.sheets import SHEET, sheet_name, write_images, write_masks
from pipeline.runs.result_paths import LabelsPagePaths
from pipeline.runs.run import Run
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import Progress
from pipeline.runtime.threads import single_torch_thread
from sorn.threads import use_one_torch_thread

logger = logging.getLogger(__name__)

REASONS = ("outline", "wrong parts", "another person", "upside down", "no person", "poor picture")


@dataclass(frozen=True)
class LabelsPageOptions:
    """Options of the page.

    out: None for a folder beside the runs. height: of a thumbnail, in pixels; at most that of the stored images.
    """

    out: Path | None = None
    height: int = 192
    workers: int = 2


@dataclass(frozen=True)
class LabelsPage:
    """View model of index.html.

    facts: sentences below the title. runs: titles of the layers that a labeler made.
    """

    title: str
    notice: str
    facts: Sequence[str]
    runs: Sequence[str]
    columns: LabelColumns
    reasons: Sequence[str] = REASONS

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Body parts and their CSS colours."""
        return list(zip(self.columns.classes, self.columns.colours, strict=True))[1:]


def write_labels_page(given: Sequence[str], runs: Path, data_root: Path, options: LabelsPageOptions) -> Path:
    """Page of the labels of one or two runs; its index.html.

    given: one or two runs, as for `find_index`. Raises UserError for runs without labels, for two of other images, and
    for a ground-truth mask that cannot be one of its image.
    """
    indices = [find_index(runs, text) for text in given]
    run = Run.find(indices[0].absolute().parents[1], runs, data_root)
    source = LabelsSource.of(run, indices)
    paths = LabelsPagePaths(options.out) if options.out else LabelsPagePaths.of(runs, source.names)
    paths.index.unlink(missing_ok=True)  # what is there is no page until it is whole
    size = source.thumbnail(options.height)
    measured = _write_sheets(paths, source, size, Stripes.of(run.config), options.workers)
    columns = label_columns(source, measured, run, size, _reasons(run, source))
    write_text(paths.data, f"const LABELS = {json.dumps(to_json(columns), separators=(',', ':'))};\n")
    write_text(paths.index, render("labels.html.j2", _view(run, source, columns)))
    logger.info(f"labels: {len(source):,} images on {paths.index}")
    return paths.index


def _write_sheets(
    paths: LabelsPagePaths, source: LabelsSource, size: tuple[int, int], stripes: Stripes, workers: int
) -> list[MeasuredImage]:
    """Write all sheets, remove those of an earlier page; the figures of the images."""

    def write(sheet: int) -> list[MeasuredImage]:
        numbers = range(sheet * SHEET, min((sheet + 1) * SHEET, len(source)))
        write_images(paths.sheets / sheet_name("image", sheet), [source.image(number) for number in numbers], size)
        masks = [[layer.mask(number) for number in numbers] for layer in source.layers]
        for layer, own in zip(source.layers, masks, strict=True):
            write_masks(paths.sheets / sheet_name(layer.key, sheet), own, size)
        return measure_images(masks, stripes)

    sheets, found = range(-(-len(source) // SHEET)), []
    for path in paths.sheets.glob("*"):
        if path.name not in {sheet_name(key, sheet) for key in source.keys for sheet in sheets}:
            path.unlink()
    with (
        single_torch_thread(needed=len(source.layers) > 1),
        closing(ahead(write, ((sheet,) for sheet in sheets), workers, use_one_torch_thread)) as written,
        Progress(len(source), "labels") as shown,
    ):
        for measured in written:
            found += measured
            shown.advance(len(measured))
    return found


def _reasons(run: Run, source: LabelsSource) -> Mapping[str, str]:
    """Reasons of the marks that the run was made with; none where their file is gone."""
    file = Path(run.config.masks.leave_out)
    return read_marks(file, set(source.labels.names)).reasons if file.is_file() else {}


def _view(run: Run, source: LabelsSource, columns: LabelColumns) -> LabelsPage:
    facts = [f"{len(source):,} images, labelled by {' and by '.join(layer.title for layer in source.runs)}."]
    if source.left_out:
        facts.append(f"{source.left_out:,} images are in one of the two runs alone, and are left out.")
    if len(source.layers) > len(source.runs):
        facts.append("Labels are compared with the ground truth of the dataset.")
    title, notice = (run.summary.title or run.paths.dataset_name), run.summary.notice
    return LabelsPage(f"Labels of {title}", notice, facts, [layer.title for layer in source.runs], columns)
