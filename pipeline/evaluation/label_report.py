"""Report of a run's labels: typed contents of labels.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pipeline.io.documents import Flat, Key


@dataclass(frozen=True)
class MadeBy:
    """A labeler or keypoint finder. details: version, options and weights, all that decides its output."""

    name: str
    details: Annotated[dict[str, object], Flat()]


@dataclass(frozen=True)
class Foreground:
    """Share of an image's pixels that show the person: mean, and deciles from lowest to highest, 11 values."""

    mean: float
    deciles: tuple[float, ...]


@dataclass(frozen=True)
class PartShare:
    """One body part. present: share of the images that show it. coverage: mean share of the pixels."""

    present: float
    coverage: float


@dataclass(frozen=True)
class StripeAgreement:
    """Visible stripes of masks against those of their references. Shares are of all stripes.

    count: P. tau: threshold of Eq. 12. said_hidden: visible in the reference alone; said_visible: in the mask alone.
    visible_share: visible in the reference.
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
    """Masks against their references. iou: class -> IoU, None for a class that neither shows. stripes: None where the
    images are too low for that many.
    """

    images: int
    mean_iou: Annotated[float, Key("mIoU")]
    pixel_accuracy: float
    iou: dict[str, float | None]
    stripes: StripeAgreement | None


@dataclass(frozen=True)
class LabelStatistics:
    """Labels of some images.

    seen: images that a labeler saw. status: name -> images. named: status -> names of its first images. people: number
    of persons detected -> images, None where none was counted. foreground, parts: None where no image was seen. exact:
    agreement with exact masks, None where no image has one.
    """

    images: int
    seen: int
    status: dict[str, int]
    named: dict[str, tuple[str, ...]]
    people: dict[str, int] | None
    foreground: Foreground | None
    parts: dict[str, PartShare] | None
    exact: MaskAgreement | None
