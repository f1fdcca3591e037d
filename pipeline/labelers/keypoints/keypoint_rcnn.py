"""Keypoint finder `keypoint_rcnn`: torchvision's Keypoint R-CNN.

Reads its weights file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.labelers.base import Source, describe, read_options
from pipeline.labelers.keypoints.base import OWNER, SECTION
from pipeline.labelers.rcnn import DOWNLOAD, KEYPOINT, RCNN, WeightsChoice, in_alike_batches
from pipeline.runs.config import Runtime
from sorn.config import check
from sorn.sample import WHOLE, no_keypoints


@dataclass(frozen=True)
class KeypointRCNNOptions:
    weights: str = DOWNLOAD
    # Keypoint R-CNN ResNet-50 FPN: "download" (torchvision's COCO_V1, kept in torch's cache) or a .pth file.
    person_score: float = 0.5
    # Detections below count as nobody.
    min_size: int = 320
    # Shortest side of the network's input; as in the labeler `torchvision`.
    batch: int = 8
    # Images per forward pass; halved where the device is full.

    def __post_init__(self) -> None:
        check(bool(self.weights), "weights", self.weights, '"download" or a file')
        check(0 <= self.person_score <= 1, "person_score", self.person_score, "a number in [0, 1]")
        check(self.min_size >= 64, "min_size", self.min_size, "64 or more pixels")
        check(self.batch >= 1, "batch", self.batch, "1 or more")


class KeypointRCNN:
    """Joints of the person that `person_choice.choose` picks.

    Without a person no joint is known and no stripe counts as visible: such an image is matched by its global feature.
    """

    name = "keypoint_rcnn"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(KeypointRCNNOptions, self.name, options, OWNER, SECTION)
        self.weights = WeightsChoice(KEYPOINT, self.options.weights, f"{SECTION}.weights")

    def describe(self) -> Mapping[str, object]:
        """Without the file's name and the batch.

        Equal weights find equal joints wherever they lie.
        """
        return describe(self.name, self.version, self.options, self.weights.identity, ("weights", "batch"))

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        return {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        from pipeline.runtime.device import pick_device

        options = self.options
        self.network = RCNN(self.weights, options.min_size, options.person_score, pick_device(runtime.device))

    def find(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[np.ndarray]:
        return in_alike_batches(self._find, images, self.options.min_size, self.options.batch)

    def _find(self, images: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        with torch.inference_mode():
            seen = self.network.see(images)
            choices = self.network.choose_people(seen)
            poses = self.network.joints(seen, [WHOLE if choice is None else choice.box for choice in choices])
        return [no_keypoints() if choice is None else pose for choice, pose in zip(choices, poses, strict=True)]
