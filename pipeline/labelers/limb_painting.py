"""Part masks from a silhouette and the joints of its person.

Every limb is a capsule around a bone, the torso the polygon of shoulders and hips, the head a disc around the face. A
pixel of the silhouette belongs to the limb that is nearest in units of that limb's own width. Nothing outside the
silhouette is painted. All lengths are shares of the person's stature, after D. A. Winter, "Biomechanics and Motor
Control of Human Movement", Fig. 4.1, and rounded: clothes are wider than bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sorn.parts import BACKGROUND, FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG
from sorn.sample import JOINTS

NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP = map(
    JOINTS.index, ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
)
FACE = slice(NOSE, LEFT_SHOULDER)  # nose, eyes, ears
TRUNK = 0.288  # shoulder to hip
NECK = 0.12  # shoulders to the middle of the head
ANKLE_TO_SOLE = 0.045
# Bones of one side: part, first joint, second joint, length. The other side's joints follow at once in JOINTS.
BONES = (
    (UPPER_ARM, LEFT_SHOULDER, JOINTS.index("left_elbow"), 0.186),
    (LOWER_ARM, JOINTS.index("left_elbow"), JOINTS.index("left_wrist"), 0.146),
    (UPPER_LEG, LEFT_HIP, JOINTS.index("left_knee"), 0.245),
    (LOWER_LEG, JOINTS.index("left_knee"), JOINTS.index("left_ankle"), 0.246),
)
KNEE, ANKLE = BONES[-1][1:3]
# Half the width of a limb: the distance from its bone, polygon or centre that counts as 1. With exact silhouettes and
# joints of 60 pictures of SynPed, twice or half of any of them made labels worse.
HALF_WIDTH = {
    HEAD: 0.075,
    TORSO: 0.06,
    UPPER_ARM: 0.035,
    LOWER_ARM: 0.035,
    UPPER_LEG: 0.055,
    LOWER_LEG: 0.04,
    FOOT: 0.045,
}
BEHIND = 0.5
# Added to the distance from the torso, 0 inside its polygon: the inner half of an arm that hangs before it stays arm.
FAR = 3.0
# A pixel farther than this from every limb is torso: what stands off a body is coat, skirt, hair or bag.


@dataclass(frozen=True)
class Limb:
    """Shape of one body part.

    points: [n, 2] x, y in pixels: one is a disc, two are a capsule, more a polygon with a rim. joints: numbers of the
    joints that place it, in JOINTS.
    """

    part: int
    points: np.ndarray
    joints: tuple[int, ...] = ()


def paint(silhouette: np.ndarray, keypoints: np.ndarray, sure: float) -> np.ndarray:
    """Silhouette bool [h, w] and keypoints [17, 3] (x, y in pixels, confidence) -> part ids uint8 [h, w].

    Joints of less confidence than `sure` paint nothing; without any limb everything stays background. Of limbs at the
    same distance the one with the lowest part id wins. x, y: pixel column i reaches from i to i + 1.
    """
    mask = np.full(silhouette.shape, BACKGROUND, np.uint8)
    known, places = keypoints[:, 2] >= sure, keypoints[:, :2].astype(np.float64)
    rows, columns = np.nonzero(silhouette)
    if len(rows) == 0:
        return mask
    height = stature(places, known, rows.max() + 1 - rows.min())
    limbs = sorted(find_limbs(places, known, height), key=lambda limb: limb.part)
    if not limbs:
        return mask
    pixels = np.stack([columns + 0.5, rows + 0.5], axis=1)  # [n, 2]
    distances = np.stack([distance(pixels, limb, height) for limb in limbs])
    nearest = distances.argmin(axis=0)  # the first of equals
    parts = np.array([limb.part for limb in limbs], np.uint8)[nearest]
    mask[rows, columns] = np.where(distances.min(axis=0) > FAR, TORSO, parts)
    return mask


def stature(places: np.ndarray, known: np.ndarray, visible: float) -> float:
    """The person's height in pixels: the median over the known bones.

    A bone seen end-on gives too little and a wrong joint too much. Without bones it is `visible`, the silhouette's
    height.
    """
    bones = [(first, second, share) for _, first, second, share in BONES] + [(LEFT_SHOULDER, LEFT_HIP, TRUNK)]
    said = [
        float(np.linalg.norm(places[first + side] - places[second + side])) / share
        for first, second, share in bones
        for side in (0, 1)
        if known[first + side] and known[second + side]
    ]
    return max(float(np.median(said)) if said else float(visible), 1.0)


def find_limbs(places: np.ndarray, known: np.ndarray, height: float) -> list[Limb]:
    """The limbs whose joints are known.

    places: [17, 2] pixels. known: bool [17]. height: the stature in pixels.
    """
    limbs = [
        Limb(part, places[[first + side, second + side]], (first + side, second + side))
        for part, first, second, _ in BONES
        for side in (0, 1)
        if known[first + side] and known[second + side]
    ]
    for side in (0, 1):
        if known[ANKLE + side]:
            ankle, down = places[ANKLE + side], np.array([0.0, 1.0])
            if known[KNEE + side]:
                down = _direction(ankle - places[KNEE + side], down)
            limbs.append(Limb(FOOT, np.stack([ankle, ankle + down * ANKLE_TO_SOLE * height]), (ANKLE + side,)))
    torso = _torso(places, known, height)
    if torso is not None:
        limbs.append(torso)
    head = _head(places, known, height)
    if head is not None:
        limbs.append(head)
    return limbs


def _torso(places: np.ndarray, known: np.ndarray, height: float) -> Limb | None:
    """Shoulders and hips. Where both of a pair are hidden, as hips are behind a desk, it is taken to be a trunk's
    length below or above the other pair: the silhouette ends where the obstacle begins.
    """
    around = [LEFT_SHOULDER, RIGHT_SHOULDER, RIGHT_HIP, LEFT_HIP]
    joints = tuple(joint for joint in around if known[joint])
    corners = places[list(joints)]
    trunk = np.array([0.0, TRUNK * height])
    if len(corners) == 0:
        return None
    if not known[LEFT_HIP] and not known[RIGHT_HIP]:
        corners = np.concatenate([corners, corners[::-1] + trunk])
    elif not known[LEFT_SHOULDER] and not known[RIGHT_SHOULDER]:
        corners = np.concatenate([corners[::-1] - trunk, corners])
    return Limb(TORSO, corners, joints)


def _head(places: np.ndarray, known: np.ndarray, height: float) -> Limb | None:
    """A disc around the known joints of the face; of a person seen from behind, above the shoulders."""
    if known[FACE].any():
        joints = tuple(np.flatnonzero(known[FACE]).tolist())
        return Limb(HEAD, places[list(joints)].mean(axis=0, keepdims=True), joints)
    if not (known[LEFT_SHOULDER] and known[RIGHT_SHOULDER]):
        return None
    shoulders, up = places[[LEFT_SHOULDER, RIGHT_SHOULDER]].mean(axis=0), np.array([0.0, -1.0])
    if known[LEFT_HIP] and known[RIGHT_HIP]:
        up = _direction(shoulders - places[[LEFT_HIP, RIGHT_HIP]].mean(axis=0), up)
    return Limb(HEAD, (shoulders + up * NECK * height)[None], (LEFT_SHOULDER, RIGHT_SHOULDER))


def _direction(vector: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Unit vector; `otherwise` for one without length."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else otherwise


def distance(pixels: np.ndarray, limb: Limb, height: float) -> np.ndarray:
    """Distance of each pixel [n, 2] from a limb, in its half widths [n].

    height: the stature in pixels.
    """
    points = limb.points
    ends = np.roll(points, -1, axis=0)
    rim = np.min([_to_segment(pixels, a, b) for a, b in zip(points, ends, strict=True)], axis=0)
    if len(points) > 2:
        rim[_inside(pixels, points, ends)] = 0
    found: np.ndarray = rim / (HALF_WIDTH[limb.part] * height) + (BEHIND if limb.part == TORSO else 0)
    return found


def _to_segment(pixels: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along = end - start
    length = float(along @ along)
    share = np.clip((pixels - start) @ along / length, 0, 1) if length > 0 else np.zeros(len(pixels))
    distance: np.ndarray = np.linalg.norm(pixels - start - share[:, None] * along, axis=1)
    return distance


def _inside(pixels: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether a ray to the right crosses the polygon's edges an odd number of times. bool [n]."""
    x, y = pixels[:, 0], pixels[:, 1]
    odd = np.zeros(len(pixels), bool)
    for (x0, y0), (x1, y1) in zip(starts, ends, strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd
