"""Labeler `torchvision`: limbs of Keypoint R-CNN inside Mask R-CNN's silhouette.

Reads two weights files. For people without detectron2. Mask R-CNN finds the people of a crop; of the chosen one
(`person_choice.choose`) it gives the silhouette, Keypoint R-CNN the joints in the same box, and `limb_painting.paint`
the parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.labelers.base import Labeled, Source, describe, read_options
from pipeline.labelers.limb_painting import paint
from pipeline.labelers.person_choice import Choice, status_of
from pipeline.labelers.rcnn import DOWNLOAD, KEYPOINT, MASK, RCNN, WeightsChoice, in_alike_batches
from pipeline.runs.config import Runtime
from sorn.config import check
from sorn.sample import WHOLE, Status

NOT_THE_RESULT = ("mask_weights", "keypoint_weights", "batch")  # options outside the fingerprint: see `describe`


@dataclass(frozen=True)
class TorchvisionOptions:
    mask_weights: str = DOWNLOAD
    # Mask R-CNN ResNet-50 FPN: "download" (torchvision's COCO_V1, kept in torch's cache) or a .pth file.
    keypoint_weights: str = DOWNLOAD
    # Keypoint R-CNN ResNet-50 FPN, likewise.
    person_score: float = 0.5
    # Detections below count as nobody. A crop without one is EMPTY.
    joint_confidence: float = 0.3
    # Joints below paint nothing; see RCNN.joints.
    min_size: int = 320
    # Shortest side of the networks' input. A person fills a crop, so that a sixth of the pixels of the usual 800 still
    # shows them as large as the people the networks learned from.
    batch: int = 8
    # Images per forward pass; halved where the device is full.
    low_resolution: int = 64
    # Images of fewer rows get the status LOW_RESOLUTION: a limb is then two pixels wide.

    def __post_init__(self) -> None:
        check(bool(self.mask_weights), "mask_weights", self.mask_weights, '"download" or a file')
        check(bool(self.keypoint_weights), "keypoint_weights", self.keypoint_weights, '"download" or a file')
        check(0 <= self.person_score <= 1, "person_score", self.person_score, "a number in [0, 1]")
        check(0 <= self.joint_confidence <= 1, "joint_confidence", self.joint_confidence, "a number in [0, 1]")
        check(self.min_size >= 64, "min_size", self.min_size, "64 or more pixels")
        check(self.batch >= 1, "batch", self.batch, "1 or more")
        check(self.low_resolution >= 0, "low_resolution", self.low_resolution, "0 or more pixels")


class TorchvisionRCNN:
    """Labeler by silhouette and joints.

    A silhouette without any sure joint is EMPTY, as an image without detections is; `people` has the difference.
    """

    name = "torchvision"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(TorchvisionOptions, self.name, options)
        self.mask_weights = WeightsChoice(MASK, self.options.mask_weights, "masks.options.mask_weights")
        self.keypoint_weights = WeightsChoice(KEYPOINT, self.options.keypoint_weights, "masks.options.keypoint_weights")

    def describe(self) -> Mapping[str, object]:
        """Without the files' names and the batch.

        Equal weights label equally wherever they lie.
        """
        weights = f"{self.mask_weights.identity}, {self.keypoint_weights.identity}"
        return describe(self.name, self.version, self.options, weights, NOT_THE_RESULT)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        return {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        from pipeline.runtime.device import pick_device

        device, options = pick_device(runtime.device), self.options
        self.mask_network = RCNN(self.mask_weights, options.min_size, options.person_score, device)
        self.keypoint_network = RCNN(self.keypoint_weights, options.min_size, options.person_score, device)

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        return in_alike_batches(self._label, images, self.options.min_size, self.options.batch)

    def _label(self, images: list[np.ndarray]) -> list[Labeled]:
        import torch

        with torch.inference_mode():
            seen = self.mask_network.see(images)
            choices = self.mask_network.choose_people(seen)
            boxes = [WHOLE if choice is None else choice.box for choice in choices]
            silhouettes = self.mask_network.silhouettes(seen, boxes)
            poses = self.keypoint_network.joints(self.keypoint_network.see(images), boxes)
        return [self._labeled(*found) for found in zip(choices, silhouettes, poses, strict=True)]

    def _labeled(self, choice: Choice | None, silhouette: np.ndarray, pose: np.ndarray) -> Labeled:
        """silhouette: bool [h, w]. pose: [17, 3], x, y in fractions."""
        height, width = silhouette.shape
        if choice is None:
            return Labeled(np.zeros((height, width), np.uint8), Status.EMPTY, people=0)
        mask = paint(silhouette, pose * np.array([width, height, 1]), self.options.joint_confidence)
        status = status_of(choice.people, height, self.options.low_resolution) if mask.any() else Status.EMPTY
        return Labeled(mask, status, choice.people, choice.box, choice.score)
