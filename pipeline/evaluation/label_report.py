"""Report of a run's labels: typed contents of labels.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pipeline.io import documents
from pipeline.io.documents import Key
from pipeline.io.text import read_json
from pipeline.runs.made_by import MadeBy

SCHEMA_VERSION = 1
UNIT = "fractions in [0, 1]"


@dataclass(frozen=True)
class Foreground:
    """Share of an image's pixels that show the person.

    deciles: from the lowest to the highest, 11 values.
    """

    mean: float
    deciles: tuple[float, ...]


@dataclass(frozen=True)
class PartShare:
    """One body part in the labels.

    present: share of the images that show it. coverage: mean share of the pixels.
    """

    present: float
    coverage: float


@dataclass(frozen=True)
class StripeAgreement:
    """Visible stripes of masks against those of their references.

    Shares are of all stripes. count: P. tau: threshold of Eq. 12. said_hidden: visible in the reference alone;
    said_visible: in the mask alone. visible_share: visible in the reference.
    """

    count: int
    tau: float
    agreement: float
    per_stripe: tuple[float, ...]
    said_hidden: float
    said_visible: float
    visible_share: float


@dataclass(frozen=True)
class MaskAgreement:
    """Masks against their references.

    iou: class -> IoU, None for a class that neither shows. stripes: None where the images are too low for that many.
    """

    images: int
    mean_iou: Annotated[float, Key("mIoU")]
    pixel_accuracy: float
    iou: dict[str, float | None]
    stripes: StripeAgreement | None


@dataclass(frozen=True)
class DifferingImage:
    """One mask that differs from its reference. stripe_agreement: share of its stripes."""

    name: str
    mean_iou: Annotated[float, Key("mIoU")]
    stripe_agreement: float


@dataclass(frozen=True)
class LabelStatistics:
    """Labels of some images.

    seen: images that a labeler saw. status: name -> images. named: status -> names of its first images. people: number
    of persons detected -> images, None where none was counted. foreground, parts: None where no image was seen. exact:
    agreement with ground truth, None where no image has one.
    """

    images: int
    seen: int
    status: dict[str, int]
    named: dict[str, tuple[str, ...]]
    people: dict[str, int] | None
    foreground: Foreground | None
    parts: dict[str, PartShare] | None
    exact: MaskAgreement | None


@dataclass(frozen=True)
class LabelledDataset:
    """The dataset of labels, as its manifest names it."""

    name: str
    title: str
    licence: str
    notice: str


@dataclass(frozen=True)
class ExactSample:
    """Images that are compared with ground truth.

    available: images that have one. worst: those that agree least.
    """

    images: int
    available: int
    seed: int
    worst: tuple[DifferingImage, ...]


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """Labels of one run: contents of labels.json.

    splits: split -> statistics; total: of all. exact: the images compared. shown: heading -> names of the images in the
    picture. left_out: reason of a mark -> images that train no body part. marks_gone: marks of no labelled image.
    """

    schema_version: int = SCHEMA_VERSION
    unit: str = UNIT
    dataset: LabelledDataset
    labeler: MadeBy
    fingerprint: str
    image_size: tuple[int, ...]
    splits: dict[str, LabelStatistics]
    total: Annotated[LabelStatistics, Key("all")]
    exact: ExactSample
    shown: dict[str, tuple[str, ...]]
    left_out: dict[str, int] = field(default_factory=dict)
    marks_gone: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """JSON value for labels.json."""
        value: dict[str, object] = documents.to_json(self)
        return value

    @classmethod
    def from_json(cls, value: object) -> LabelReport:
        """Report from the JSON value of labels.json.

        Raises ValueError naming the field that is missing or wrong, or another schema version.
        """
        return documents.from_json(cls, documents.require_version(value, SCHEMA_VERSION))

    def rows(self) -> dict[str, LabelStatistics]:
        """Rows of the tables: each split, and all if there are several."""
        return {**self.splits, "all": self.total} if len(self.splits) > 1 else self.splits


def read_label_report(path: Path) -> LabelReport:
    """Report of a run's labels from labels.json.

    Raises OSError for a file that cannot be read, ValueError for one that is no report of this schema version.
    """
    return LabelReport.from_json(read_json(path))
