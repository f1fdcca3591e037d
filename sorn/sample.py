"""Labelled image between labeler and shard, and the 17 keypoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

# The joints of a pose, in COCO's order.
JOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

NOT_COUNTED = -1  # people: no detector ran
WHOLE = (0.0, 0.0, 1.0, 1.0)  # box: the whole image is the person's box
NO_SCORE = -1.0  # score: no detector ran


class Status(IntEnum):
    """Outcome of labeling one image, stored in the shard as uint8."""

    OK = 0
    EMPTY = 1  # the labeler ran and found no body part
    LOW_RESOLUTION = 2  # labelled, but the source image is smaller than the labeler can be trusted with
    SEVERAL_PEOPLE = 3  # labelled; the target was chosen among several detected people
    UNREADABLE = 4  # the image could not be decoded; image and mask are zeros, and training leaves it out
    UNLABELED = 5  # no labeler ran on this image: evaluation-only data, or a split that was not asked for
    LEFT_OUT = 6  # labelled, but marked as wrong: the mask is there to be looked at and trains nothing


def no_keypoints() -> np.ndarray:
    """Keypoints of an image without any: [17, 3] float32 zeros."""
    return np.zeros((len(JOINTS), 3), np.float32)


@dataclass(frozen=True)
class Sample:
    """One image with its part mask, at shard size.

    image: [H, W, 3] uint8 RGB.
    mask: [H, W] uint8, 0 = background, 1..7 the body parts of `sorn.parts`.
    pid, camid: identity and camera number of the dataset.
    name: `split/relative/path`, unique in the dataset.
    people: number of detected people, NOT_COUNTED where no detector ran. box: box of the labelled person (left, top,
    right, bottom), as fractions of the image's width and height. score: confidence of the detector for that box, in [0,
    1], or NO_SCORE.
    keypoints: [17, 3] float32: for each joint of JOINTS x and y as fractions of width and height, (0, 0) the upper left
    corner, and the confidence in [0, 1]; all zero where no keypoints are known.
    """

    image: np.ndarray
    mask: np.ndarray
    pid: int
    camid: int
    name: str
    status: Status
    people: int = NOT_COUNTED
    box: tuple[float, float, float, float] = WHOLE
    score: float = NO_SCORE
    keypoints: np.ndarray = field(default_factory=no_keypoints)
