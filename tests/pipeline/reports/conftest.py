"""A small evaluation and its page, with names that would be HTML."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from record_tables import table_of_pairs
from sample_report import LABELS, REPORT, with_provenance

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.evaluation import scores
from pipeline.evaluation.evaluate import curves
from pipeline.evaluation.label_report import MaskAgreement
from pipeline.evaluation.pair_scores import PairTask, certainty, count_pairs
from pipeline.evaluation.part_masks import PartReference
from pipeline.evaluation.report import (
    EvaluatedDataset,
    PartScores,
    Report,
    SweepPoint,
    TrainingLabels,
    VariantFigures,
)
from pipeline.evaluation.scores import RankingTask, Scores
from pipeline.evaluation.warnings import EvaluationWarning
from pipeline.features.store import Examples
from pipeline.reports.evaluation.illustrations import Illustrator
from pipeline.reports.evaluation.list_files import RankedQueries, write_lists
from pipeline.reports.evaluation.page import PageContents, Shown
from pipeline.reports.evaluation.sections import html_page
from pipeline.reports.evaluation.shown_queries import ShownQuery, shown_queries
from pipeline.runs.config import EvalConfig
from pipeline.runs.made_by import MadeBy
from sorn.features import FeatureBank
from sorn.sample import Sample, Status

HOSTILE = ["query/<script>broken()</script>.jpg", "query/\"'onerror='broken()' x=.jpg", "query/</script><b>&amp;.jpg"]
QUERIES, GALLERY, PERSONS, TAU = 300, 40, 8, 0.4
AGREEMENT = MaskAgreement(9, 0.375, 0.75, {"head": 0.5}, None)


@dataclass(frozen=True)
class Evaluated:
    """The page of one evaluation, and what it was made from."""

    path: Path
    report: Report
    scores: Scores
    shown: list[ShownQuery]
    contents: PageContents

    @staticmethod
    def sample_of(name: str) -> Sample:
        return sample_of(name)


def bank(names: list[str], seed: int, camera: int) -> FeatureBank:
    rng = np.random.default_rng(seed)
    n = len(names)
    pid = np.arange(n) % PERSONS
    arrays = [
        rng.normal(size=(n, *shape)) + np.random.default_rng(7).normal(size=(PERSONS, *shape))[pid]
        for shape in ((16,), (3, 8))
    ]
    visibility = rng.random((n, 3)).astype(np.float32)
    return FeatureBank(*(a.astype(np.float32) for a in arrays), visibility, pid, camera + pid % 2, np.array(names))


def sample_of(name: str) -> Sample:
    rng = np.random.default_rng(list(name.encode()))
    image, mask = rng.integers(0, 255, (48, 16, 3)).astype(np.uint8), np.full((48, 16), 2, np.uint8)
    return Sample(image, mask, 1, 1, name, Status.OK)


def report_of(found: Scores) -> Report:
    """With names that would be HTML."""
    made_by = MadeBy("<i>danet", {"options": {"table": "</code><script>broken()</script>"}})
    dataset = EvaluatedDataset(
        name="mine",
        title="Mine <script>broken()</script>",
        licence="",
        notice="Withdrawn </script>.",
        camera_policy="",
        query_images=QUERIES,
        gallery_images=GALLERY,
        warnings=("3 <images> fewer",),
    )
    pairs = count_pairs(PairTask(found.query, found.gallery, "<b>mine", "test", EvalConfig(tau=TAU)))
    chosen = dataclasses.replace(pairs.calibration("c"), split="val")
    report = dataclasses.replace(
        REPORT,
        certainty=certainty(pairs, [chosen]),
        protocol="Ours & <others>",
        metrics={variant: VariantFigures.of(metrics) for variant, metrics in found.metrics.items()},
        chance=found.chance,
        cmc=curves(found),
        tau_sweep=tuple(SweepPoint.of(tau, metrics) for tau, metrics in found.sweep.items()),
        labels=TrainingLabels(MadeBy("<i>danet"), dataclasses.replace(LABELS, exact=AGREEMENT)),
        stripes=None,
        parts=PartScores(1, {"x": 1}, 0.5, 0.25, {"head": 0.125}),
        paper=({"method": "SORN", "source": "Table II", "rank-1": 57.6, "mAP": 46.3},),
        dataset=dataset,
        warnings=(EvaluationWarning("3 <images> fewer"),),
    )
    return with_provenance(
        report,
        labeler=made_by,
        command="make eval DATASET='<b>.csv'",
        config=EvalConfig(tau=TAU),
    )


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    folder = tmp_path_factory.mktemp("page")
    names = [*HOSTILE, *(f"query/{i:04d}.jpg" for i in range(len(HOSTILE), QUERIES))]
    query, gallery = bank(names, 0, 0), bank([f"gallery/{i}<.jpg" for i in range(GALLERY)], 1, 1)
    options = EvalConfig(ranked_queries=4, ranked_gallery=5, tau=TAU, tau_sweep=(0.0, 0.4, 0.8))
    found = scores.score(RankingTask(query, gallery, Protocol("default", "All."), options), HOSTILE)
    shown = shown_queries(found, sample_of, TAU)
    reference = PartReference(sample_of, ExactMasks(Manifest("mine", "Mine"), folder, table_of_pairs([])), "danet", 8)
    examples = Examples(np.array(HOSTILE), np.full((3, 3, 12, 4), 0.5, np.float16), np.full((3, 12, 4), 2, np.uint8))
    illustrator = Illustrator(folder / "pictures", reference, TAU, 5, 0, "network")
    report, path = report_of(found), folder / "report.html"
    explained = illustrator.explained(found, examples)
    lists = write_lists(folder / "lists", RankedQueries(found, sample_of, TAU), 1)
    contents = PageContents(
        report, found, Shown(list(shown.values()), explained, illustrator, "queries.csv", lists=lists)
    )
    path.write_text(html_page(contents), encoding="utf-8")
    return Evaluated(path, report, found, list(shown.values()), contents)
