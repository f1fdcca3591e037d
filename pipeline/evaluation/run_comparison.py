"""Comparison of evaluations of the same queries: typed contents of comparison.json."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.intervals import BootstrapInterval
from pipeline.evaluation.label_report import UNIT
from pipeline.evaluation.warnings import EvaluationWarning
from pipeline.io import documents

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ComparedRun:
    """One evaluation. metrics: variant -> figure -> mean over the queries, a fraction."""

    name: str
    folder: str
    protocol: str
    metrics: dict[str, dict[str, float]]


@dataclass(frozen=True)
class FigureDifference:
    """Difference of one figure and its interval, fractions."""

    value: float
    low: float
    high: float
    excludes_zero: bool

    @property
    def direction(self) -> str:
        """better, worse, or nothing where the interval holds zero."""
        if not self.excludes_zero:
            return ""
        return "better" if self.value > 0 else "worse"


@dataclass(frozen=True)
class ChangedQuery:
    """One query.

    pid: its identity. before, after: its figure in both runs, fractions.
    """

    query: str
    pid: int | str
    before: float
    after: float


@dataclass(frozen=True)
class RunDifference:
    """One run against the first.

    figures: name -> difference. better, worse, equal: numbers of queries. changed: those that changed most.
    """

    run: str
    against: str
    figures: dict[str, FigureDifference]
    better: int
    worse: int
    equal: int
    changed: tuple[ChangedQuery, ...]

    def counts(self) -> dict[str, int]:
        """Queries by what became of them."""
        return {"better": self.better, "worse": self.worse, "equal": self.equal}


@dataclass(frozen=True, kw_only=True)
class EvaluationComparison:
    """Evaluations compared with the first of them.

    setting: what is the same in all. variant: the one compared. metric: the figure by which queries are better or
    worse. warnings: of all evaluations, and about the intervals. options: name -> value in every run, None where a run
    does not have it; only those that differ.
    """

    schema_version: int = SCHEMA_VERSION
    unit: str = UNIT
    setting: dict[str, object]
    queries: int
    persons: int
    variant: str
    metric: str
    interval: BootstrapInterval
    notice: str
    warnings: tuple[EvaluationWarning, ...]
    runs: tuple[ComparedRun, ...]
    differences: tuple[RunDifference, ...]
    options: dict[str, tuple[object, ...]]

    def to_json(self) -> dict[str, object]:
        """JSON value for comparison.json."""
        value: dict[str, object] = documents.to_json(self)
        return value
