"""Table of the labels of several runs against ground truth.

Reads shards and ground truth; writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.errors import UserError
from pipeline.evaluation.figures import percent
from pipeline.evaluation.label_report import MaskAgreement
from pipeline.evaluation.label_statistics import StoredLabels
from pipeline.evaluation.mask_metrics import Stripes
from pipeline.reports.labels.build import against_exact
from pipeline.reports.labels.compare import find_index
from pipeline.reports.labels.text import agreement_tables
from pipeline.reports.markdown import pipe_table
from pipeline.runs.config import Config
from pipeline.runs.run import Run
from sorn.sample import Status

HIDDEN, VISIBLE = "visible, said hidden", "hidden, said visible"  # the two kinds of wrong stripes
NOT_ASKED = (Status.UNLABELED, Status.LEFT_OUT)  # no label is used
NOBODY = (Status.EMPTY, Status.UNREADABLE)
NOTHING = "-"  # in place of a figure


@dataclass(frozen=True)
class ScoredLabels:
    """Labels of one split of one run against ground truth.

    name: of the run, as it was given. images: those that have ground truth and were labelled. empty: of them, those
    whose label shows nobody or that cannot be read; they train no body part, and are not scored. agreement: of the
    others, None where none is left.
    """

    name: str
    split: str
    images: int
    empty: int
    agreement: MaskAgreement | None


def score_labels(given: Sequence[str], runs: Path, data_root: Path, config: Config) -> list[ScoredLabels]:
    """Scores of every labelled split of every run, over all images.

    given: runs, as for `find_index`. config: options of the stripes. Raises UserError for a run without labels, and for
    one without ground truth.
    """
    stripes, workers = Stripes.of(config), config.runtime.workers
    return [row for text in given for row in _of_run(text, runs, data_root, stripes, workers)]


def score_lines(scores: Sequence[ScoredLabels]) -> list[str]:
    """Tables in Markdown: an overview, the body parts, the stripes."""
    rows = [["labels", "split", "images", "empty", "mIoU, %", "stripes right, %", "every stripe called visible, %"]]
    for score in scores:
        figures = score.agreement
        stripes = figures.stripes if figures else None
        shares = [percent(stripes.agreement), percent(stripes.visible_share)] if stripes else [NOTHING, NOTHING]
        iou = percent(figures.mean_iou) if figures else NOTHING
        rows.append([f"`{score.name}`", score.split, f"{score.images:,}", f"{score.empty:,}", iou, *shares])
    scored = {f"`{score.name}`, {score.split}": score.agreement for score in scores if score.agreement}
    return [*pipe_table(rows), "", *(agreement_tables(scored, HIDDEN, VISIBLE) if scored else [])]


def _of_run(given: str, runs: Path, data_root: Path, stripes: Stripes, workers: int) -> list[ScoredLabels]:
    """Scores of the splits of one run."""
    index = find_index(runs, given)
    run, labels = Run.find(index.absolute().parents[1], runs, data_root), StoredLabels(index)
    exact = ExactMasks(run.manifest, run.root, run.records)
    rows = []
    for split in labels.index.splits:
        inside = np.flatnonzero((labels.split == split) & np.isin(labels.status, NOT_ASKED, invert=True)).tolist()
        known = np.array([number for number in inside if exact.path(labels.names[number])], np.int64)
        if len(known):
            scored = known[np.isin(labels.status[known], NOBODY, invert=True)]
            found = against_exact(labels, exact, scored, stripes, workers).figures() if len(scored) else None
            rows.append(ScoredLabels(given, split, len(known), len(known) - len(scored), found))
    if not rows:
        wrong = f"no labelled image of '{given}' has ground truth in {run.root}"
        remedy = "Name the folder of the datasets with --data-root, or compare two labelers: sorn masks compare."
        raise UserError(wrong, remedy)
    return rows
