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
FACE = list(range(NOSE, LEFT_SHOULDER))  # nose, eyes, ears
SHOULDERS, HIPS = [LEFT_SHOULDER, RIGHT_SHOULDER], [LEFT_HIP, RIGHT_HIP]
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

    points: [n, 2] x, y in pixels: one is a disc, two are a capsule, more a polygon with a rim. axis: [2, 3] x, y and
    confidence of its two ends.
    """

    part: int
    points: np.ndarray
    axis: np.ndarray


@dataclass(frozen=True)
class LimbMap:
    """The nearest limb of every pixel of an image, [h, w] each.

    parts: uint8, its body part. distance: float32, in half widths of that limb. confidence: float32, that of the
    nearest place on its axis: between the confidences of the joints at its ends.
    """

    parts: np.ndarray
    distance: np.ndarray
    confidence: np.ndarray


def paint(silhouette: np.ndarray, keypoints: np.ndarray, sure: float) -> np.ndarray:
    """Silhouette bool [h, w] and keypoints [17, 3] (x, y in pixels, confidence) -> part ids uint8 [h, w].

    Joints of less confidence than `sure` paint nothing; without any limb everything stays background. Of limbs at the
    same distance the one with the lowest part id wins. x, y: pixel column i reaches from i to i + 1.
    """
    mask = np.full(silhouette.shape, BACKGROUND, np.uint8)
    rows, columns = (np.flatnonzero(silhouette.any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return mask
    known = keypoints[:, 2] >= sure
    height = stature(keypoints[:, :2], known, rows[-1] + 1 - rows[0])
    limbs = find_limbs(keypoints, known, height)
    if not limbs:
        return mask
    within = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    nearest, distance, _ = nearest_of(limbs, *within, height)
    parts = np.where(distance > FAR, np.uint8(TORSO), nearest)
    mask[within] = np.where(silhouette[within], parts, BACKGROUND)
    return mask


def map_limbs(size: tuple[int, int], keypoints: np.ndarray) -> LimbMap:
    """Map of all limbs of a person over an image.

    size: (h, w). keypoints: [17, 3] x, y in pixels, confidence. All of them count, the doubtful ones as well: a limb
    that is hidden keeps its pixels, so that no other limb is painted there.
    """
    known, places = np.ones(len(keypoints), bool), keypoints[:, :2]
    height = stature(places, known, float(np.ptp(places[:, 1])))
    limbs = find_limbs(keypoints, known, height)
    return LimbMap(*nearest_of(limbs, slice(0, size[0]), slice(0, size[1]), height, "f4"))


def parts_of(limbs: list[Limb]) -> np.ndarray:
    """Their part ids, uint8 [limbs]."""
    return np.array([limb.part for limb in limbs], np.uint8)


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


def find_limbs(keypoints: np.ndarray, known: np.ndarray, height: float) -> list[Limb]:
    """The limbs whose joints are known, by rising part id.

    keypoints: [17, 3] x, y in pixels, confidence. known: bool [17]. height: the stature in pixels.
    """
    limbs = [
        _capsule(part, keypoints[first + side], keypoints[second + side])
        for part, first, second, _ in BONES
        for side in (0, 1)
        if known[first + side] and known[second + side]
    ]
    for side in (0, 1):
        if known[ANKLE + side]:
            ankle, down = keypoints[ANKLE + side], np.array([0.0, 1.0])
            if known[KNEE + side]:
                down = _direction(ankle[:2] - keypoints[KNEE + side, :2], down)
            limbs.append(_capsule(FOOT, ankle, np.append(ankle[:2] + down * ANKLE_TO_SOLE * height, ankle[2])))
    torso = _torso(keypoints, known, height)
    if torso is not None:
        limbs.append(torso)
    head = _head(keypoints, known, height)
    if head is not None:
        limbs.append(head)
    return sorted(limbs, key=lambda limb: limb.part)


def _capsule(part: int, first: np.ndarray, second: np.ndarray) -> Limb:
    axis = np.stack([first, second]).astype(np.float64)
    return Limb(part, axis[:, :2], axis)


def _torso(keypoints: np.ndarray, known: np.ndarray, height: float) -> Limb | None:
    """Shoulders and hips. Where both of a pair are hidden, as hips are behind a desk, it is taken to be a trunk's
    length below or above the other pair: the silhouette ends where the obstacle begins.
    """
    around = [LEFT_SHOULDER, RIGHT_SHOULDER, RIGHT_HIP, LEFT_HIP]
    corners = keypoints[[joint for joint in around if known[joint]], :2].astype(np.float64)
    trunk = np.array([0.0, TRUNK * height, 0.0])
    upper, lower = (_middle(keypoints, known, pair) for pair in (SHOULDERS, HIPS))
    if upper is None:
        if lower is None:
            return None
        corners, upper = np.concatenate([corners[::-1] - trunk[:2], corners]), lower - trunk
    elif lower is None:
        corners, lower = np.concatenate([corners, corners[::-1] + trunk[:2]]), upper + trunk
    return Limb(TORSO, corners, np.stack([upper, lower]))


def _head(keypoints: np.ndarray, known: np.ndarray, height: float) -> Limb | None:
    """A disc around the known joints of the face; of a person seen from behind, above the shoulders."""
    middle = _middle(keypoints, known, FACE)
    if middle is None:
        if not known[SHOULDERS].all():
            return None
        middle, hips = keypoints[SHOULDERS].astype(np.float64).mean(axis=0), keypoints[HIPS, :2].mean(axis=0)
        up = np.array([0.0, -1.0])
        if known[HIPS].all():
            up = _direction(middle[:2] - hips, up)
        middle[:2] += up * NECK * height
    return Limb(HEAD, middle[None, :2], np.stack([middle, middle]))


def _middle(keypoints: np.ndarray, known: np.ndarray, joints: list[int]) -> np.ndarray | None:
    """Mean place and greatest confidence of the known ones among some joints, float64 [3]; None without any."""
    chosen = keypoints[[joint for joint in joints if known[joint]]].astype(np.float64)
    return np.append(chosen[:, :2].mean(axis=0), chosen[:, 2].max()) if len(chosen) else None


def _direction(vector: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Unit vector; `otherwise` for one without length."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else otherwise


def distances_from(limbs: list[Limb], rows: slice, columns: slice, height: float) -> np.ndarray:
    """Distances of the pixels of a window from each limb.

    In half widths of that limb, float64 [limbs, h, w]. height: the stature in pixels.
    """
    from pipeline.labelers.limb_kernels import limb_distances

    x, y = _middles(rows, columns)
    distances = np.empty((len(limbs), len(y), len(x)))
    limb_distances(x, y, *_shapes(limbs, height, "f8"), distances)
    return distances


def nearest_of(
    limbs: list[Limb], rows: slice, columns: slice, height: float, kind: str = "f8"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest limbs of the pixels of a window, [h, w] each.

    Part of the limb, uint8; distance from it, as in `distances_from`; confidence of the nearest place on its axis.
    Of limbs at the same distance the first counts. kind: type of the last two, "f4" or "f8".
    """
    from pipeline.labelers.limb_kernels import nearest_limbs

    x, y = (middles.astype(kind) for middles in _middles(rows, columns))
    axes = np.stack([limb.axis for limb in limbs]).astype(kind)
    parts, (least, confidence) = np.empty((len(y), len(x)), np.uint8), np.empty((2, len(y), len(x)), kind)
    nearest_limbs(x, y, *_shapes(limbs, height, kind), axes, parts_of(limbs), parts, least, confidence)
    return parts, least, confidence


def confidences_in(limbs: list[Limb], numbers: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Confidence of the pixels of a window, each in its limb, float64 [h, w].

    It is that of the nearest place on the limb's axis. numbers: int64 [h, w], the limb of each pixel.
    """
    from pipeline.labelers.limb_kernels import axis_confidences

    found: np.ndarray = axis_confidences(*_middles(rows, columns), numbers, np.stack([limb.axis for limb in limbs]))
    return found


def _middles(rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """Middles of pixels: x [w], y [h]."""
    x, y = (np.arange(span.start, span.stop) + 0.5 for span in (columns, rows))
    return x, y


def _shapes(limbs: list[Limb], height: float, kind: str) -> tuple[np.ndarray, ...]:
    """Shapes of limbs as limb_kernels takes them.

    Edges, where those of each limb begin and end, half widths, and what is added to distances.
    """
    edges = [_edges(limb.points) for limb in limbs]
    starts = np.concatenate([[0], np.cumsum([len(own) for own in edges])])
    half_widths: np.ndarray = np.array([HALF_WIDTH[limb.part] * height for limb in limbs], kind)
    behind: np.ndarray = np.array([BEHIND if limb.part == TORSO else 0.0 for limb in limbs], kind)
    return np.concatenate(edges).astype(kind), starts, half_widths, behind


def _edges(points: np.ndarray) -> np.ndarray:
    """Edges of a shape, x and y of their starts and ends: one of a capsule, and of a disc one without length."""
    if len(points) <= 2:
        return points[[0, -1]].reshape(1, 4)
    return np.concatenate([points, np.concatenate([points[1:], points[:1]])], axis=1)
