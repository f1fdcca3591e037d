"""Labeler `blazepose`: limbs of BlazePose's joints within a silhouette.

Reads the networks that `make weights-blazepose` fetches. For machines without a GPU or a compiler. Every limb takes the
pixels that are nearest to it; those of a hidden limb become background, so that an obstacle is not painted as the limb
beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.io.images import resize_mask
from pipeline.labelers.base import Labeled, Source, describe, read_options
from pipeline.labelers.blazepose_files import DETECTOR, POSE, SELFIE, default_folder
from pipeline.labelers.blazepose_networks import NetworkFiles, NetworkPool, Networks
from pipeline.labelers.blazepose_person import SeenPose, find_person, see_selfie, whole_square
from pipeline.labelers.blazepose_region import put_back
from pipeline.labelers.limb_painting import FAR, map_limbs
from pipeline.labelers.person_choice import status_of
from pipeline.runs.config import Runtime
from sorn.config import check, check_choice
from sorn.parts import BACKGROUND
from sorn.sample import Status

SILHOUETTES = ("selfie", "pose")
DETAIL = 256  # pixels of the longer side of a mask as it is painted: the networks see no more
NOT_THE_RESULT = ("folder",)  # options outside the fingerprint: the networks are known by their sha256


@dataclass(frozen=True)
class BlazePoseOptions:
    model: str = "heavy"
    # lite, full or heavy: heavy finds poses of hidden people that the others miss, at a quarter of full's speed.
    folder: str = ""
    # Folder of the .tflite files; "" is the one that `make weights-blazepose` fills.
    min_score: float = 0.5
    # Of the pose network. Below it nobody is there, and the image is EMPTY.
    person_score: float = 0.5
    # Of the detector, which counts people. Below it a detection is nobody.
    visible: float = 0.2
    # Places on a limb that are less visible are background. Visibility is that of BlazePose's joints, in between on the
    # way from joint to joint.
    silhouette: str = "pose"
    # pose: the pose network's own, which runs through obstacles, but misses nobody. selfie: selfie segmentation, which
    # mostly ends where an obstacle begins, and cuts off more feet.
    share: float = 0.3
    # Of the limbs' area that a silhouette must show. Below it selfie gives way to pose, and pose to the limbs alone.
    low_resolution: int = 48
    # Images of fewer rows are labelled, with the status LOW_RESOLUTION.

    def __post_init__(self) -> None:
        check_choice("model", self.model, tuple(POSE))
        check(0 <= self.min_score <= 1, "min_score", self.min_score, "a number in [0, 1]")
        check(0 < self.person_score <= 1, "person_score", self.person_score, "a number in (0, 1]")
        check(0 <= self.visible <= 1, "visible", self.visible, "a number in [0, 1]")
        check_choice("silhouette", self.silhouette, SILHOUETTES)
        check(0 <= self.share <= 1, "share", self.share, "a number in [0, 1]")
        check(self.low_resolution >= 0, "low_resolution", self.low_resolution, "0 or more rows")


class BlazePose:
    """Labels one person per crop, one image at a time."""

    name = "blazepose"
    version = 2  # distances in float32

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(BlazePoseOptions, self.name, options)
        selfie = SELFIE if self.options.silhouette == "selfie" else None
        self.files = NetworkFiles(POSE[self.options.model], DETECTOR, selfie)

    def describe(self) -> Mapping[str, object]:
        """Without the folder: the files in it are known by their content."""
        return describe(self.name, self.version, self.options, self.files.digests(), NOT_THE_RESULT)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        return {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        folder = Path(self.options.folder) if self.options.folder else default_folder()
        self.pool = NetworkPool(folder, self.files)

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        with self.pool.borrow() as networks:
            return [self._label(networks, image) for image in images]

    def _label(self, networks: Networks, image: np.ndarray) -> Labeled:
        size = image.shape[0], image.shape[1]
        found = find_person(networks, image, self.options.min_score, self.options.person_score)
        if found.pose is None:
            return Labeled(np.full(size, BACKGROUND, np.uint8), Status.EMPTY, found.people)
        mask = resize_mask(self._parts(networks, image, found.pose), size)
        status = status_of(found.people, size[0], self.options.low_resolution) if mask.any() else Status.EMPTY
        return Labeled(mask, status, found.people, found.box, found.score)

    def _parts(self, networks: Networks, image: np.ndarray, pose: SeenPose) -> np.ndarray:
        """Part ids uint8 of an image, with at most DETAIL rows and columns."""
        whole, size = image.shape[:2], painted_size(image.shape)
        joints = pose.joints * np.array([size[1] / whole[1], size[0] / whole[0], 1])
        limbs = map_limbs(size, joints)
        seen = limbs.confidence >= self.options.visible
        area = seen & (limbs.distance <= 1)
        person = area  # the limbs alone
        for silhouette in self._silhouettes(networks, image, pose, size):
            if (area & silhouette).sum() >= self.options.share * area.sum():
                person = silhouette & seen & (limbs.distance <= FAR)
                break
        parts: np.ndarray = np.where(person, limbs.parts, np.uint8(BACKGROUND))
        return parts

    def _silhouettes(
        self, networks: Networks, image: np.ndarray, pose: SeenPose, size: tuple[int, int]
    ) -> Iterator[np.ndarray]:
        """Silhouettes bool [h, w] of that size, the best first; each is computed when it is asked for."""
        whole = image.shape[0], image.shape[1]
        if networks.selfie is not None:
            yield put_back(see_selfie(networks.selfie, image), whole_square(image), whole, size) >= 0.5
        yield put_back(pose.silhouette, pose.region, whole, size) >= 0.5


def painted_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a mask as it is painted.

    They are in the proportions of its image.
    """
    scale = min(1.0, DETAIL / max(shape[:2]))
    height, width = (max(1, round(side * scale)) for side in shape[:2])
    return height, width
