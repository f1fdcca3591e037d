"""Measured tables of the paper: typed contents of tables.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from pipeline.evaluation.label_report import UNIT, StripeAgreement
from pipeline.evaluation.warnings import EvaluationWarning
from pipeline.io import documents
from pipeline.io.documents import Flat, Key
from pipeline.tools.tables.statistics import LEVEL, Summary

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class GridDataset:
    """The dataset of all jobs."""

    name: str
    title: str
    notice: str


@dataclass(frozen=True)
class GridLabels:
    """The labels of all jobs.

    mean_iou, stripes: against ground truth, None without any.
    """

    labeler: str
    mean_iou: Annotated[float | None, Key("mIoU")]
    stripes: StripeAgreement | None


@dataclass(frozen=True)
class CommonFacts:
    """Facts that are the same in all reports; None without any report.

    chance: figure -> fraction. versions: package -> version. warnings: those that all reports have.
    """

    protocol: str | None = None
    queries: int | None = None
    gallery_images: int | None = None
    chance: dict[str, float] | None = None
    labels: GridLabels | None = None
    versions: tuple[dict[str, str], ...] | None = None
    warnings: tuple[EvaluationWarning, ...] | None = None


@dataclass(frozen=True)
class MeasuredRow:
    """A row of ours and the paper's.

    job, report: the job and the variant of its report. paper: figure -> fraction, None where the paper prints none or
    measured something else.
    figures: figure -> summary over the seeds, None without any. missing: seed -> reason.
    """

    table: str
    name: str
    job: str
    report: str
    paper: dict[str, float] | None
    figures: dict[str, Summary | None]
    missing: dict[str, str]


@dataclass(frozen=True)
class OrderedFigure:
    """Difference of two rows in one figure, seed by seed.

    paper: the paper's. verdict: what the interval says.
    """

    difference: Summary | None
    paper: float | None
    verdict: str


@dataclass(frozen=True)
class Ordering:
    """An ordering that the paper reports.

    better, worse: names of rows of that table. figures: by figure.
    """

    name: str
    table: str
    better: str
    worse: str
    figures: dict[str, OrderedFigure]


@dataclass(frozen=True)
class SweptTau:
    """Figures at one threshold of Eq. 12.

    figures: figure -> summary over the seeds.
    """

    tau: float
    figures: Annotated[dict[str, Summary], Flat()]


@dataclass(frozen=True)
class JobSeed:
    """One seed of a job. stamps: stage -> fingerprint."""

    checkpoint_sha256: str
    stamps: dict[str, str]


@dataclass(frozen=True)
class JobEvidence:
    """What was run.

    seconds: stage -> mean over the seeds, None where none was timed. seeds: seed -> its evaluation.
    """

    options: tuple[str, ...]
    same_training_as: str
    segmenter: str
    seconds: dict[str, float | None]
    seeds: dict[str, JobSeed]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The paper's tables, measured.

    level: of the intervals. command: the one that measures them again. others: jobs that nobody has asked for, without
    rows here. whole: command that measures these too. config: section -> options that hold for all.
    """

    schema_version: int = SCHEMA_VERSION
    unit: str = UNIT
    level: float = LEVEL
    dataset: GridDataset
    seeds: tuple[int, ...]
    common: Annotated[CommonFacts, Flat()]
    rows: tuple[MeasuredRow, ...]
    expected: tuple[Ordering, ...]
    tau: tuple[SweptTau, ...]
    jobs: dict[str, JobEvidence]
    command: str
    others: tuple[str, ...]
    whole: str
    config: dict[str, dict[str, object]]

    @property
    def tables(self) -> list[str]:
        """Names of the tables and figures of the paper, in their order."""
        return list(dict.fromkeys(row.table for row in self.rows))

    @property
    def image_size(self) -> str:
        """Height and width, as in "384x128"."""
        return "x".join(map(str, cast(list[int], self.config["masks"]["image_size"])))

    def of(self, table: str) -> list[MeasuredRow]:
        """Rows of one table."""
        return [row for row in self.rows if row.table == table]

    def to_json(self) -> dict[str, object]:
        """JSON value for tables.json."""
        value: dict[str, object] = documents.to_json(self)
        return value
