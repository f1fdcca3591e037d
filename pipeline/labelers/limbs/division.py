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
    SHOULDERS,
    TRUNK,
    Limb,
    confidences_in,
    distances_from,
    find_limbs,
    parts_of,
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
    rows, columns = (np.flatnonzero(regions.any(axis=axis)) for axis in (1, 0))
    skeleton = Skeleton(keypoints, sure, regions.shape[0])
    if len(rows) == 0 or not skeleton.limbs:
        return mask
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    region, parts = regions[window], parts_of(skeleton.limbs)
    distances = skeleton.distances(*window)  # [limbs, h, w]
    own = distances.min(axis=0)
    distances[~REGIONS.T[parts][:, region]] = np.inf
    nearest, least = distances.argmin(axis=0), distances.min(axis=0)
    found = np.where((least > FAR) & REGIONS[region, TORSO], TORSO, parts[nearest])
    found[(confidences_in(skeleton.limbs, nearest, *window) < sure) | ~np.isfinite(least)] = BACKGROUND
    found = np.where(region < len(CLASSES), region, found)
    for keypoints_of_other in others:
        other = Skeleton(keypoints_of_other, sure, regions.shape[0], sure_only=True)
        if other.limbs:
            found[other.distances(*window).min(axis=0) < own] = BACKGROUND
    mask[window] = found
    return mask


def outline(keypoints: np.ndarray, sure: float, size: tuple[int, int]) -> np.ndarray:
    """Pixels of the limbs whose joints are sure, bool [h, w].

    They are within one half width. keypoints: as for `divide`. size: (h, w) of the image.
    """
    skeleton = Skeleton(keypoints, sure, size[0], sure_only=True)
    if not skeleton.limbs:
        return np.zeros(size, bool)
    near: np.ndarray = skeleton.distances(slice(0, size[0]), slice(0, size[1])).min(axis=0) <= 1
    return near


class Skeleton:
    """Limbs of one person, in the order of their parts.

    image_height: in pixels, the stature where no bone is known: a crop is about as high as its person. sure_only:
    limbs of sure joints only. Otherwise joints without a place get one, straight on from those that have one: with
    confidence 0 they take away what they may own.
    """

    def __init__(self, keypoints: np.ndarray, sure: float, image_height: int, sure_only: bool = False) -> None:
        places, confidence = keypoints[:, :2].astype(np.float64), keypoints[:, 2].astype(np.float64)
        known, are_sure = (confidence > 0) | (places != 0).any(axis=1), confidence >= sure
        self.height = stature(places, known, image_height)
        places, known = (places, known & are_sure) if sure_only else _guessed(places, known, self.height)
        placed, seen = np.column_stack([places, confidence]), _face_seen(known, are_sure)
        self.limbs = [_shaped(limb, known) for limb in find_limbs(placed, seen, self.height)]

    def distances(self, rows: slice, columns: slice) -> np.ndarray:
        """Distances of the pixels of a window from each limb.

        In half widths, float64 [limbs, h, w].
        """
        return distances_from(self.limbs, rows, columns, self.height)


def _face_seen(known: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Known joints, bool [17], with those of the face that place the head.

    These are the sure ones. If there are none between sure shoulders, the person is seen from behind.
    """
    seen = known.copy()
    if (known & sure)[FACE].any():
        seen[FACE] &= sure[FACE]
    elif (known & sure)[SHOULDERS].all():
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


def _shaped(limb: Limb, known: np.ndarray) -> Limb:
    """A limb within the person's outline, for which its ends are drawn in. known: bool [17]."""
    points = limb.points
    if limb.part == UPPER_LEG:
        start, end = points
        points = np.stack([start + THIGH_STARTS * (end - start), end])
    elif limb.part == TORSO and known[SHOULDERS].all():  # the first two points
        middle = points[:2].mean(axis=0)
        points = np.concatenate([points[:2] + SHOULDERS_INSIDE * (middle - points[:2]), points[2:]])
    return Limb(limb.part, points, limb.axis)
