"""Report of one evaluation: typed contents of report.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pipeline.evaluation.certainty import Certainty
from pipeline.evaluation.figures import HEADLINE, measured
from pipeline.evaluation.intervals import FigureIntervals
from pipeline.evaluation.label_report import UNIT, LabelStatistics, StripeAgreement
from pipeline.evaluation.schema import SCHEMA_VERSION
from pipeline.evaluation.warnings import EvaluationWarning
from pipeline.features.int8.record import Int8Record
from pipeline.io import documents
from pipeline.io.documents import Flat, Key
from pipeline.io.text import read_json
from pipeline.runs.config import EvalConfig
from pipeline.runs.made_by import MadeBy
from sorn.config import OF_PAPER, VARIANTS
from sorn.metrics import Metrics


@dataclass(frozen=True)
class VariantFigures:
    """Figures of one matching variant, means over its queries.

    figures: "rank-1" ..., "mAP", "mINP" -> fraction in [0, 1]; with several draws also "<name>-sd".
    """

    figures: Annotated[dict[str, float], Flat()]
    queries: int
    skipped_queries: int

    @classmethod
    def of(cls, found: Metrics) -> VariantFigures:
        return cls(measured(found), found.queries, found.skipped)

    def __getitem__(self, name: str) -> float:
        return self.figures[name]

    def deviation(self, name: str) -> float | None:
        """Standard deviation over the draws; None with one draw."""
        return self.figures.get(f"{name}-sd")


@dataclass(frozen=True)
class SweepPoint:
    """Figures of the variant "sorn" at another threshold of Eq. 12."""

    tau: float
    figures: Annotated[dict[str, float], Flat()]

    @classmethod
    def of(cls, tau: float, found: Metrics) -> SweepPoint:
        reached = measured(found)
        return cls(tau, {figure.key: reached[figure.key] for figure in HEADLINE})

    def __getitem__(self, name: str) -> float:
        return self.figures[name]


@dataclass(frozen=True)
class TrainingLabels:
    """Quality of the labels that the network was trained on."""

    labeler: MadeBy
    statistics: Annotated[LabelStatistics, Flat()]


@dataclass(frozen=True)
class PartScores:
    """Predicted part masks of some queries against their reference.

    against: kind of reference -> images. iou: class -> IoU, None for a class that neither shows.
    """

    images: int
    against: dict[str, int]
    mean_iou: Annotated[float, Key("mIoU")]
    pixel_accuracy: float
    iou: dict[str, float | None]


@dataclass(frozen=True)
class SideStripes:
    """Visible stripes of query or gallery images against ground truth."""

    images: int
    agreement: Annotated[StripeAgreement, Flat()]


@dataclass(frozen=True)
class BothStripes:
    """Visible stripes of query and gallery images."""

    query: SideStripes
    gallery: SideStripes

    def sides(self) -> dict[str, SideStripes]:
        return {"query": self.query, "gallery": self.gallery}


@dataclass(frozen=True)
class EvaluatedDataset:
    """The dataset of an evaluation.

    warnings: of the data stage, and unreadable images.
    """

    name: str
    title: str
    licence: str
    notice: str
    camera_policy: str
    query_images: int
    gallery_images: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Provenance:
    """Everything the figures were made from.

    segmenter: description of the external segmenter, if it picks the stripes. features: description of the network and
    precision of the extraction. training: config.json of the checkpoint. config: options of the evaluation. stamps:
    stage -> fingerprint. versions: package -> version. int8: what the int8 network was made from and what it changes,
    None in another precision.
    """

    labeler: MadeBy
    pose: MadeBy | None
    segmenter: dict[str, object] | None
    trained_on: str
    command: str
    checkpoint_sha256: str
    features: dict[str, object]
    training: dict[str, object]
    config: EvalConfig
    stamps: dict[str, str]
    versions: dict[str, str]
    int8: Int8Record | None = None

    @property
    def network(self) -> dict[str, object]:
        """Options of the trained network, as stored."""
        model = self.training.get("model")
        return model if isinstance(model, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Report:
    """One evaluation: contents of report.json.

    metrics: variant -> its figures. chance: figure -> expectation of a random order. cmc: variant or "chance" -> curve
    at ranks 1, 2, ... tau_sweep: other thresholds. shown: "random", "best", "worst" -> names of the queries shown.
    labels, parts, stripes: None where unknown. paper: published rows of what was measured here, in percent.
    paper_left_out: why other published rows cannot be compared, "" without such. intervals: of rank-1 and mAP over
    persons; None for fewer than two persons. warnings: all, those of the data stage too. certainty: of pairs of the
    same person and of different people; None where certainty_left_out says why. Reports before 0.2 have none of these
    three.
    """

    schema_version: int = SCHEMA_VERSION
    protocol: str
    single_shot: bool
    unit: str = UNIT
    metrics: dict[str, VariantFigures]
    chance: dict[str, float]
    cmc: dict[str, tuple[float, ...]]
    tau_sweep: tuple[SweepPoint, ...]
    shown: dict[str, tuple[str, ...]]
    labels: TrainingLabels | None
    parts: PartScores | None
    stripes: BothStripes | None
    paper: tuple[dict[str, str | float], ...]
    paper_left_out: str = ""
    intervals: FigureIntervals | None = None
    warnings: tuple[EvaluationWarning, ...] = ()
    certainty: Certainty | None = None
    certainty_left_out: str = ""
    dataset: EvaluatedDataset
    provenance: Provenance

    @property
    def fullest(self) -> str:
        """The paper's fullest variant."""
        return [name for name in OF_PAPER if name in self.metrics][-1]

    @property
    def best(self) -> str:
        """Variant of the highest mAP; of equals, the paper's fullest."""
        own = [self.fullest, *(name for name in VARIANTS if name in self.metrics)]
        return max(own, key=lambda name: self.metrics[name]["mAP"])

    def to_json(self) -> dict[str, object]:
        """JSON value for report.json."""
        value: dict[str, object] = documents.to_json(self)
        return value

    @classmethod
    def from_json(cls, value: object) -> Report:
        """Report from the JSON value of report.json.

        Raises ValueError naming the field that is missing or wrong, or another schema version.
        """
        return documents.from_json(cls, documents.require_version(value, SCHEMA_VERSION))


def read_report(path: Path) -> Report:
    """Report of an evaluation from report.json.

    Raises OSError for a file that cannot be read, ValueError for one that is no report of this schema version.
    """
    return Report.from_json(read_json(path))
