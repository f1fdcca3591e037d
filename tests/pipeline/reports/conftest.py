"""A small evaluation and its page, with names that would be HTML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.evaluation import scores
from pipeline.evaluation.scores import PartReference, Scores
from pipeline.features.store import Examples
from pipeline.reports.evaluation.illustrations import Illustrator
from pipeline.reports.evaluation.page import write_page
from pipeline.reports.evaluation.shown_queries import ShownQuery, shown_queries
from pipeline.runs.config import EvalConfig
from sorn.features import FeatureBank
from sorn.sample import Sample, Status

HOSTILE = ["query/<script>broken()</script>.jpg", "query/\"'onerror='broken()' x=.jpg", "query/</script><b>&amp;.jpg"]
QUERIES, GALLERY, PERSONS, TAU = 300, 40, 8, 0.4


@dataclass(frozen=True)
class Evaluated:
    """The page of one evaluation, and what it was made from."""

    path: Path
    report: dict[str, Any]
    scores: Scores
    shown: list[ShownQuery]


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
    rng = np.random.default_rng(len(name))
    image, mask = rng.integers(0, 255, (48, 16, 3)).astype(np.uint8), np.full((48, 16), 2, np.uint8)
    return Sample(image, mask, 1, 1, name, Status.OK)


def report_of(found: Scores) -> dict[str, Any]:
    """As pipeline.reports.evaluation.build makes it."""
    return {
        "protocol": "Ours & <others>",
        "single_shot": False,
        "metrics": {variant: metrics.figures() for variant, metrics in found.metrics.items()},
        "chance": found.chance,
        "cmc": {
            **{variant: metrics.cmc().tolist() for variant, metrics in found.metrics.items()},
            "chance": found.chance_cmc.tolist(),
        },
        "tau_sweep": [{"tau": tau, "rank-1": m.rank(1), "mAP": m.mean_ap} for tau, m in found.sweep.items()],
        "labels": {
            "labeler": {"name": "<i>danet"},
            "images": 1200,
            "status": {"ok": 1190, "empty": 10},
            "foreground": {"mean": 0.4},
            "exact": {"images": 9, "mIoU": 0.375, "pixel_accuracy": 0.75, "stripes": None},
        },
        "stripes": None,
        "parts": {"images": 1, "against": {"x": 1}, "mIoU": 0.5, "pixel_accuracy": 0.25, "iou": {"head": 0.125}},
        "paper": [{"method": "SORN", "source": "Table II", "rank-1": 57.6, "mAP": 46.3}],
        "dataset": {
            "name": "mine",
            "title": "Mine <script>broken()</script>",
            "licence": "",
            "notice": "Withdrawn </script>.",
            "camera_policy": "",
            "query_images": QUERIES,
            "gallery_images": GALLERY,
            "warnings": ["3 <images> fewer"],
        },
        "provenance": {
            "labeler": {"name": "<i>danet", "options": {"table": "</code><script>broken()</script>"}},
            "pose": None,
            "segmenter": None,
            "trained_on": "mine",
            "command": "make eval DATASET='<b>.csv'",
            "checkpoint_sha256": "abc",
            "features": {"precision": "bf16"},
            "training": {"model": {"parts": 3}, "precision": "fp32"},
            "config": {"tau": TAU},
            "stamps": {"train": "def"},
            "versions": {"torch": "2.14"},
        },
    }


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    folder = tmp_path_factory.mktemp("page")
    names = [*HOSTILE, *(f"query/{i:04d}.jpg" for i in range(len(HOSTILE), QUERIES))]
    query, gallery = bank(names, 0, 0), bank([f"gallery/{i}<.jpg" for i in range(GALLERY)], 1, 1)
    options = EvalConfig(ranked_queries=4, tau=TAU, tau_sweep=(0.0, 0.4, 0.8))
    found = scores.score(query, gallery, Protocol("default", "All."), options, HOSTILE)
    shown = shown_queries(found, sample_of, TAU, 5)
    reference = PartReference(sample_of, ExactMasks(Manifest("mine", "Mine"), folder, []), "danet", 8)
    examples = Examples(np.array(HOSTILE), np.full((3, 3, 12, 4), 0.5, np.float16), np.full((3, 12, 4), 2, np.uint8))
    illustrator = Illustrator(folder / "pictures", reference, TAU, 5, 0, "network")
    report, path = report_of(found), folder / "report.html"
    explained = illustrator.explained(found, examples)
    write_page(path, report, found, list(shown.values()), explained, illustrator, "queries.csv")
    return Evaluated(path, report, found, list(shown.values()))
