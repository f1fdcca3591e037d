"""Keypoint finder `blazepose`: joints of BlazePose's networks.

Reads the networks that `make weights-blazepose` fetches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.labelers.base import Source, describe, read_options
from pipeline.labelers.blazepose_files import DETECTOR, POSE, default_folder
from pipeline.labelers.blazepose_networks import NetworkFiles, NetworkPool
from pipeline.labelers.blazepose_person import find_person
from pipeline.labelers.keypoints.base import OWNER, SECTION
from pipeline.runs.config import Runtime
from sorn.config import check, check_choice
from sorn.sample import no_keypoints


@dataclass(frozen=True)
class BlazePoseKeypointOptions:
    model: str = "heavy"
    # lite, full or heavy, as in the labeler `blazepose`.
    folder: str = ""
    # Folder of the .tflite files; "" is the one that `make weights-blazepose` fills.
    min_score: float = 0.5
    # Of the pose network. Below it nobody is there, and no joint is known.
    person_score: float = 0.5
    # Of the detector. Below it a detection is nobody.

    def __post_init__(self) -> None:
        check_choice("model", self.model, tuple(POSE))
        check(0 <= self.min_score <= 1, "min_score", self.min_score, "a number in [0, 1]")
        check(0 < self.person_score <= 1, "person_score", self.person_score, "a number in (0, 1]")


class BlazePoseKeypoints:
    """Joints of one person per crop; their confidence is their visibility.

    A joint outside the image is not visible: its confidence is 0.
    """

    name = "blazepose"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(BlazePoseKeypointOptions, self.name, options, OWNER, SECTION)
        self.files = NetworkFiles(POSE[self.options.model], DETECTOR)

    def describe(self) -> Mapping[str, object]:
        """Without the folder: the files in it are known by their content."""
        return describe(self.name, self.version, self.options, self.files.digests(), ("folder",))

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        return {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        folder = Path(self.options.folder) if self.options.folder else default_folder()
        self.pool = NetworkPool(folder, self.files)

    def find(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[np.ndarray]:
        options = self.options
        with self.pool.borrow() as networks:
            found = [find_person(networks, image, options.min_score, options.person_score) for image in images]
        return [
            no_keypoints() if one.pose is None else _fractions(one.pose.joints, image.shape)
            for one, image in zip(found, images, strict=True)
        ]


def _fractions(joints: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Joints in pixels of an image -> keypoints [17, 3] float32 in fractions of it."""
    found = joints / np.array([shape[1], shape[0], 1])
    outside = ((found[:, :2] < 0) | (found[:, :2] > 1)).any(axis=1)
    found[outside, 2] = 0
    keypoints: np.ndarray = found.astype(np.float32)
    return keypoints
