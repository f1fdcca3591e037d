"""Labeler `none`: stores the images alone, for evaluation-only data. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.labelers.base import Labeled, Source, describe, read_options
from pipeline.runs.config import Runtime
from sorn.parts import BACKGROUND
from sorn.sample import Status


@dataclass(frozen=True)
class NoOptions:
    """`none` has no options."""


class Unlabeled:
    """Labeler of background alone, with the status UNLABELED.

    So these images are never trained on by mistake.
    """

    name = "none"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(NoOptions, self.name, options)

    def describe(self) -> Mapping[str, object]:
        return describe(self.name, self.version, self.options)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        return {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        """Nothing to prepare."""

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        return [Labeled(np.full(image.shape[:2], BACKGROUND, np.uint8), Status.UNLABELED) for image in images]
