"""Division of a person's regions among the limbs of a skeleton.

As in `pipeline.labelers.limb_painting`, a pixel belongs to the limb that is nearest in half widths of that limb.
Besides, a region may admit some parts only (trousers have no arms); and what is nearest to a limb whose joints are not
sure, or to the limb of another person, becomes background instead of going to the next limb.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.datasets.limb_regions import REGIONS
from pipeline.labelers.limb_painting import (
    BONES,
    FACE,
    FAR,
    LEFT_HIP,
    LEFT_SHOULDER,
    RIGHT_SHOULDER,
    TRUNK,
    Limb,
    distance,
    find_limbs,
    stature,
)
from sorn.parts import BACKGROUND, CLASSES, TORSO, UPPER_LEG

# With exact silhouettes and joints of 120 images of SynPed these two bring 4 points of mIoU: a hip and a shoulder lie
# inside the body, so that round ends of limbs reach into the torso, and a torso up to the shoulders into the arms.
THIGH_STARTS = 0.3  # of the way from the hip to the knee
SHOULDERS_INSIDE = 0.2  # of the way from a shoulder to the middle of both


def divide(regions: np.ndarray, keypoints: np.ndarray, sure: float, others: Sequence[np.ndarray] = ()) -> np.ndarray:
    """Part mask of a person, part ids uint8 [h, w].

    regions: uint8 [h, w], 0 outside the person, a part id where the part is known, and from `len(CLASSES)` on the
    number of a region that is divided (`pipeline.datasets.limb_regions`). keypoints: [17, 3], x, y in pixels and
    confidence; a joint at (0, 0) of confidence 0 has no place. sure: confidence from which on a joint paints. others:
    keypoints of the other people in the image.
    """
    mask = np.zeros(regions.shape, np.uint8)
    rows, columns = np.nonzero(regions)
    limbs = Skeleton(keypoints, sure, regions.shape[0])
    if len(rows) == 0 or not limbs.limbs:
        return mask
    region, pixels = regions[rows, columns], np.stack([columns + 0.5, rows + 0.5], axis=1)
    distances = limbs.distances(pixels)  # [limbs, n]
    parts = np.array([limb.part for limb in limbs.limbs])
    own = distances.min(axis=0)
    distances[~REGIONS[region][:, parts].T] = np.inf
    nearest, least = distances.argmin(axis=0), distances.min(axis=0)
    found = np.where((least > FAR) & REGIONS[region, TORSO], TORSO, parts[nearest])
    found[(limbs.confidences(pixels, nearest) < sure) | ~np.isfinite(least)] = BACKGROUND
    found = np.where(region < len(CLASSES), region, found)
    for keypoints_of_other in others:
        other = Skeleton(keypoints_of_other, sure, regions.shape[0], sure_only=True)
        if other.limbs:
            found[other.distances(pixels).min(axis=0) < own] = BACKGROUND
    mask[rows, columns] = found
    return mask


def outline(keypoints: np.ndarray, sure: float, size: tuple[int, int]) -> np.ndarray:
    """Pixels of the limbs whose joints are sure, bool [h, w].

    They are within one half width. keypoints: as for `divide`. size: (h, w) of the image.
    """
    limbs = Skeleton(keypoints, sure, size[0], sure_only=True)
    rows, columns = np.indices(size).reshape(2, -1)
    if not limbs.limbs:
        return np.zeros(size, bool)
    near: np.ndarray = limbs.distances(np.stack([columns + 0.5, rows + 0.5], axis=1)).min(axis=0) <= 1
    return near.reshape(size)


class Skeleton:
    """Limbs of one person, in the order of their parts.

    image_height: in pixels, the stature where no bone is known: a crop is about as high as its person. sure_only:
    limbs of sure joints only. Otherwise joints without a place get one, straight on from those that have one: with
    confidence 0 they take away what they may own.
    """

    def __init__(self, keypoints: np.ndarray, sure: float, image_height: int, sure_only: bool = False) -> None:
        places, self.confidence = keypoints[:, :2].astype(np.float64), keypoints[:, 2].astype(np.float64)
        known, are_sure = (self.confidence > 0) | (places != 0).any(axis=1), self.confidence >= sure
        self.height = stature(places, known, image_height)
        places, known = (places, known & are_sure) if sure_only else _guessed(places, known, self.height)
        self.places = places
        limbs = [_shaped(limb) for limb in find_limbs(places, _face_seen(known, are_sure), self.height)]
        self.limbs = sorted(limbs, key=lambda limb: limb.part)

    def distances(self, pixels: np.ndarray) -> np.ndarray:
        """Of each pixel from each limb, in half widths [limbs, n]. pixels: [n, 2] x, y."""
        return np.stack([distance(pixels, limb, self.height) for limb in self.limbs])

    def confidences(self, pixels: np.ndarray, limb: np.ndarray) -> np.ndarray:
        """Confidence of each pixel in its limb [n].

        It is the mean of the limb's joints, a nearer one being heavier. limb: number of the limb of each pixel, int
        [n].
        """
        found = np.zeros(len(pixels))
        for number, shape in enumerate(self.limbs):
            joints, mine = list(shape.joints), limb == number
            away = np.linalg.norm(pixels[mine, None] - self.places[joints], axis=2)  # [m, joints]
            weights = 1 / np.maximum(away, 0.5)
            found[mine] = weights @ self.confidence[joints] / weights.sum(axis=1)
        return found


def _face_seen(known: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Known joints, bool [17], with those of the face that place the head.

    These are the sure ones. If there are none between sure shoulders, the person is seen from behind.
    """
    seen = known.copy()
    if (known & sure)[FACE].any():
        seen[FACE] &= sure[FACE]
    elif (known & sure)[[LEFT_SHOULDER, RIGHT_SHOULDER]].all():
        seen[FACE] = False
    return seen


def _guessed(places: np.ndarray, known: np.ndarray, height: float) -> tuple[np.ndarray, np.ndarray]:
    """Places [17, 2] and known joints, with those that have no place straight on from those that have one."""
    places, known, down = places.copy(), known.copy(), np.array([0.0, 1.0])
    for first, second, way in ((LEFT_SHOULDER, LEFT_HIP, TRUNK), (LEFT_HIP, LEFT_SHOULDER, -TRUNK)):
        if not known[[second, second + 1]].any():
            for side in (0, 1):
                places[second + side] = places[first + side] + way * height * down
                known[second + side] = known[first + side]
    for _, start, end, length in BONES:
        for side in (0, 1):
            if known[start + side] and not known[end + side]:
                places[end + side] = places[start + side] + length * height * down
                known[end + side] = True
    return places, known


def _shaped(limb: Limb) -> Limb:
    """A limb within the person's outline, for which its ends are drawn in."""
    points = limb.points
    if limb.part == UPPER_LEG:
        start, end = points
        points = np.stack([start + THIGH_STARTS * (end - start), end])
    elif limb.part == TORSO and limb.joints[:2] == (LEFT_SHOULDER, RIGHT_SHOULDER):
        middle = points[:2].mean(axis=0)
        points = np.concatenate([points[:2] + SHOULDERS_INSIDE * (middle - points[:2]), points[2:]])
    return Limb(limb.part, points, limb.joints)
