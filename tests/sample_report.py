"""A full report of an evaluation made by hand, for tests of what reads reports."""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline.evaluation.label_report import (
    DifferingImage,
    ExactSample,
    Foreground,
    LabelledDataset,
    LabelReport,
    LabelStatistics,
    MaskAgreement,
    PartShare,
    StripeAgreement,
)
from pipeline.evaluation.report import (
    BothStripes,
    EvaluatedDataset,
    PartScores,
    Provenance,
    Report,
    SideStripes,
    SweepPoint,
    TrainingLabels,
    VariantFigures,
)
from pipeline.evaluation.warnings import EvaluationWarning
from pipeline.runs.config import EvalConfig
from pipeline.runs.made_by import MadeBy

FIGURES = {"rank-1": 0.5, "rank-3": 0.55, "rank-5": 0.625, "rank-10": 0.75, "mAP": 0.4567, "mINP": 0.1}
VARIANT = VariantFigures(FIGURES, 80, 2)
LABELS = LabelStatistics(
    images=1200,
    seen=1200,
    status={"ok": 1190, "empty": 10},
    named={"empty": ("a.jpg",)},
    people={"1": 1100, "2": 100},
    foreground=Foreground(0.4, tuple(tenth / 10 for tenth in range(11))),
    parts={"head": PartShare(0.9, 0.05)},
    exact=MaskAgreement(
        500, 0.375, 0.75, {"head": 0.5, "foot": None}, StripeAgreement(2, 0.2, 0.875, (1.0, 0.75), 0.1, 0.025, 0.9)
    ),
)
REPORT = Report(
    protocol="SynPed, split test",
    single_shot=False,
    metrics={"global": VARIANT},
    chance={name: value / 100 for name, value in FIGURES.items()},
    cmc={"global": (0.5, 0.6), "chance": (0.005, 0.01)},
    tau_sweep=(SweepPoint(0.15, {"rank-1": 0.25, "mAP": 0.125}),),
    shown={"random": ("query/a.jpg",), "best": (), "worst": ()},
    labels=TrainingLabels(MadeBy("danet", {"version": 1}), LABELS),
    parts=PartScores(
        9, {"exact masks": 7, "the labels of danet": 2}, 0.5, 0.75, {"background": 1.0, "head": None, "torso": 0.0}
    ),
    stripes=BothStripes(
        SideStripes(9, StripeAgreement(2, 0.2, 0.8, (0.8, 0.8), 0.06, 0.14, 0.6)),
        SideStripes(8, StripeAgreement(2, 0.2, 0.75, (0.75, 0.75), 0.25, 0.0, 1.0)),
    ),
    paper=({"method": "SORN", "source": "Table V", "trained_on": "market1501", "rank-1": 76.7, "rank-3": 84.3},),
    warnings=(EvaluationWarning("3 images fewer", "Copy them again."),),
    dataset=EvaluatedDataset(
        name="synped",
        title="SynPed",
        licence="",
        notice="Withdrawn.",
        camera_policy="",
        query_images=82,
        gallery_images=300,
        warnings=("3 images fewer",),
    ),
    provenance=Provenance(
        labeler=MadeBy("ground_truth", {"version": 1, "options": {}}),
        pose=None,
        segmenter=None,
        trained_on="synped-ground_truth",
        command="make eval DATASET=synped LABELER=danet",
        checkpoint_sha256="abc",
        features={"model": {"parts": 3}, "precision": "bf16"},
        training={"model": {"parts": 3}, "precision": "fp32"},
        config=EvalConfig(),
        stamps={"train": "def"},
        versions={"torch": "2.14"},
    ),
)


def label_report() -> LabelReport:
    return LabelReport(
        dataset=LabelledDataset("synped", "SynPed", "", ""),
        labeler=MadeBy("danet", {"version": 1}),
        fingerprint="abc",
        image_size=(384, 128),
        splits={"train": LABELS},
        total=LABELS,
        exact=ExactSample(500, 900, 0, (DifferingImage("a.jpg", 0.25, 0.5),)),
        shown={"worst": ("a.jpg",)},
    )


def with_provenance(report: Report, **changes: Any) -> Report:
    return dataclasses.replace(report, provenance=dataclasses.replace(report.provenance, **changes))
