"""Comparison of two labelers: typed contents of comparison.json."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.label_report import UNIT, DifferingImage, MaskAgreement
from pipeline.io import documents
from pipeline.runs.made_by import MadeBy

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ComparedLabels:
    """The labels of one run. index: path of their index.json."""

    name: str
    index: str
    labeler: MadeBy
    fingerprint: str
    image_size: tuple[int, ...]
    images: int


@dataclass(frozen=True)
class UnmatchedImages:
    """Images that only one of two runs has. named: the first."""

    images: int
    named: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LabelComparison:
    """Two labelers on the same images.

    labels, unmatched: of "A" and "B". images: in both. status: in A -> in B -> images. agreement: masks of A against
    those of B, of the images labelled in both. worst: those that agree least.
    """

    schema_version: int = SCHEMA_VERSION
    unit: str = UNIT
    labels: dict[str, ComparedLabels]
    only_in_a: UnmatchedImages
    only_in_b: UnmatchedImages
    images: int
    status: dict[str, dict[str, int]]
    agreement: MaskAgreement
    worst: tuple[DifferingImage, ...]

    def unmatched(self) -> dict[str, UnmatchedImages]:
        """By the names of `labels`."""
        return {"A": self.only_in_a, "B": self.only_in_b}

    def to_json(self) -> dict[str, object]:
        """JSON value for comparison.json."""
        value: dict[str, object] = documents.to_json(self)
        return value
