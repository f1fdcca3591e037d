"""Protocol of a keypoint finder: images in, 17 keypoints each out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.runs.config import Runtime

OWNER, SECTION = "keypoint finder", "masks.keypoint_options"  # in messages about options


class KeypointFinder(Protocol):
    """Finder of the 17 joints of `sorn.sample.JOINTS`.

    Made, prepared and called as a labeler is.
    """

    name: str
    version: int

    def describe(self) -> Mapping[str, object]:
        """JSON of what decides the keypoints, as a labeler's."""

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        """Digests of the files, besides the images, that the keypoints come from.

        name -> digest, for these records.
        """

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        """Called once per process before the work, as a labeler's."""

    def find(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[np.ndarray]:
        """Per image keypoints [17, 3] float32 as in `sorn.sample.Sample`. images: [h, w, 3] uint8 RGB, any size."""
