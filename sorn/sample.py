"""Sample: one labelled image on its way from a labeler into a shard."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Status(IntEnum):
    """How the labeling of one image went; stored per image in the shard as uint8."""

    OK = 0
    EMPTY = 1  # the labeler ran and found no body part
    LOW_RESOLUTION = 2  # labelled, but the source image is smaller than the labeler can be trusted with
    SEVERAL_PEOPLE = 3  # labelled; the target was chosen among several detected people
    UNREADABLE = 4  # the image could not be decoded; image and mask are zeros, and training leaves it out
    UNLABELED = 5  # no labeler ran on this image: evaluation-only data, or a split that was not asked for


@dataclass(frozen=True)
class Sample:
    """One image with its part mask, at shard size.

    image: [H, W, 3] uint8 RGB.
    mask: [H, W] uint8, 0 = background, 1..7 the parts of `sorn.parts`.
    pid, camid: the dataset's own person and camera number.
    name: `split/relative/path`, unique in the dataset.
    """

    image: np.ndarray
    mask: np.ndarray
    pid: int
    camid: int
    name: str
    status: Status
