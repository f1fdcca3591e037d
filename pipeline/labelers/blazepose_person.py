"""Pose of one person in a crop, by BlazePose's networks.

The detector, which looks for faces and torsos, says how many people there are and where the chosen one's body lies.
The pose network looks at the whole crop, which was cut around its person, and only where a body reaches beyond the crop
at the detector's region: the crop of a head and shoulders would else be taken for a small person. A detection whose
torso is not upright is not followed: where the upper body is hidden, most are upside down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.labelers.blazepose_detector import CIRCLE, Detection, detections
from pipeline.labelers.blazepose_detector import SIDE as DETECTOR_SIDE
from pipeline.labelers.blazepose_networks import Network, Networks
from pipeline.labelers.blazepose_region import Region, cut
from pipeline.labelers.limb_painting import HIPS, SHOULDERS
from pipeline.labelers.person_choice import Choice, choose
from sorn.sample import NO_SCORE, WHOLE

SIDE = 256  # pixels of the input of the pose network and of selfie segmentation
LANDMARKS, VALUES = 39, 5  # x, y, z, logit of visibility, logit of presence
FROM_0 = np.arange(256, dtype=np.float32) / np.float32(255)  # levels of pixels in [0, 1], for these two
AROUND_0 = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)  # in [-1, 1], for the detector
# BlazePose's landmark of each of the 17 joints.
JOINTS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


@dataclass(frozen=True)
class SeenPose:
    """Answer of the pose network for a region.

    score: that there is a person, in [0, 1]. joints: float64 [17, 3] x, y in pixels of the image, visibility in [0, 1].
    silhouette: float32 [256, 256], the person's probability over the region. It runs through obstacles.
    """

    score: float
    joints: np.ndarray
    silhouette: np.ndarray
    region: Region

    @property
    def upright(self) -> bool:
        """Whether the shoulders are above the hips."""
        return bool(self.joints[SHOULDERS, 1].mean() < self.joints[HIPS, 1].mean())


@dataclass(frozen=True)
class Sighting:
    """The person of a crop.

    people: how many were seen. pose: of the chosen one, None for nobody. box, score: as in `sorn.sample.Sample`; the
    whole image and no score where the detector saw nobody.
    """

    people: int
    pose: SeenPose | None
    box: tuple[float, float, float, float] = WHOLE
    score: float = NO_SCORE


def find_person(networks: Networks, image: np.ndarray, min_score: float, person_score: float) -> Sighting:
    """The person of a crop [h, w, 3] uint8 RGB.

    min_score: of the pose network, below it nobody is there. person_score: of the detector, likewise.
    """
    found = detect(networks.detector, image, person_score)
    choice = choose(np.array([one.box(image.shape) for one in found]), np.array([one.score for one in found]))
    for region in _regions(image, found, choice):
        pose = see_pose(networks.pose, image, region)
        if pose.score >= min_score and pose.upright:
            if choice is None:
                return Sighting(1, pose)
            return Sighting(choice.people, pose, choice.box, choice.score)
    return Sighting(len(found), None)


def detect(network: Network, image: np.ndarray, min_score: float) -> list[Detection]:
    """People whom the detector sees, by falling score."""
    region = Region.of_image(image.shape).around(1.0)
    raw, logits = network.run(cut(image, region, DETECTOR_SIDE, AROUND_0))
    return detections(raw, logits[:, 0], region, min_score)


def see_pose(network: Network, image: np.ndarray, region: Region) -> SeenPose:
    """Pose of the person of a region, there or not."""
    raw, score, silhouette, *_ = network.run(as_input(image, region))
    landmarks = raw.reshape(LANDMARKS, VALUES)[list(JOINTS)].astype(np.float64)
    joints = np.column_stack([region.to_image(landmarks[:, :2] / SIDE), _sigmoid(landmarks[:, 3])])
    return SeenPose(float(score[0]), joints, _sigmoid(silhouette[:, :, 0]).astype(np.float32), region)


def see_selfie(network: Network, image: np.ndarray) -> np.ndarray:
    """Probability of people over the crop's square, float32 [256, 256].

    Mostly it ends where an obstacle begins.
    """
    (found,) = network.run(as_input(image, whole_square(image)))
    return found[:, :, 0]


def whole_square(image: np.ndarray) -> Region:
    return Region.of_image(image.shape).around(1.0)


def as_input(image: np.ndarray, region: Region) -> np.ndarray:
    """Region of an image as these networks see it: float32 [256, 256, 3] in [0, 1]."""
    return cut(image, region, SIDE, FROM_0)


def _regions(image: np.ndarray, found: list[Detection], choice: Choice | None) -> Iterator[Region]:
    """Regions for the pose network, the best first."""
    crop = Region.of_image(image.shape).around(CIRCLE)
    if choice is not None and found[choice.number].upright:
        region = found[choice.number].region()
        if region.width > crop.width:
            yield region
    yield crop


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    chances: np.ndarray = 1 / (1 + np.exp(-logits.clip(-50, 50)))
    return chances
