"""Standing figures with known parts and joints, and the JSON that tools write of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sorn.parts import FOOT, HEAD, LOWER_ARM, LOWER_LEG, TORSO, UPPER_ARM, UPPER_LEG
from sorn.sample import JOINTS

SIZE = (100, 60)  # height and width of a crop with one figure
# Part -> rectangles: top, bottom, left, right of one side; the other side is the mirror image about column 30.
BOXES = {
    HEAD: [(4, 17, 25, 35)],
    TORSO: [(18, 50, 22, 38)],
    UPPER_ARM: [(18, 36, 16, 21), (18, 36, 39, 44)],
    LOWER_ARM: [(36, 54, 16, 21), (36, 54, 39, 44)],
    UPPER_LEG: [(50, 72, 23, 29), (50, 72, 31, 37)],
    LOWER_LEG: [(72, 90, 23, 29), (72, 90, 31, 37)],
    FOOT: [(90, 96, 23, 29), (90, 96, 31, 37)],
}
PLACES = {
    "nose": (30, 10), "left_eye": (32, 9), "right_eye": (28, 9), "left_ear": (34, 10), "right_ear": (26, 10),
    "left_shoulder": (40, 20), "right_shoulder": (20, 20), "left_elbow": (41.5, 36), "right_elbow": (18.5, 36),
    "left_wrist": (41.5, 50), "right_wrist": (18.5, 50), "left_hip": (34, 48), "right_hip": (26, 48),
    "left_knee": (34, 72), "right_knee": (26, 72), "left_ankle": (34, 90), "right_ankle": (26, 90),
}  # fmt: skip


def parts(right: int = 0) -> np.ndarray:
    """Exact part mask of a figure, moved to the right by so many columns, uint8 [100, 60]."""
    mask = np.zeros(SIZE, np.uint8)
    for part, boxes in BOXES.items():
        for top, bottom, start, end in boxes:
            mask[top:bottom, max(0, start + right) : max(0, end + right)] = part
    return mask


def joints(right: float = 0, confidence: float = 1.0, **changed: float) -> np.ndarray:
    """Its joints [17, 3]. changed: confidence of some joints, by name."""
    return np.array([(PLACES[name][0] + right, PLACES[name][1], changed.get(name, confidence)) for name in JOINTS])


def person(image: object = None, keypoints: np.ndarray | None = None, **more: Any) -> dict[str, Any]:
    """One entry of a COCO keypoint result."""
    flat = (joints() if keypoints is None else keypoints).ravel().tolist()
    named = {} if image is None else {"image_id": image}
    return {**named, "category_id": 1, "keypoints": flat, "score": 0.9, **more}


def runs(mask: np.ndarray) -> dict[str, Any]:
    """COCO's run-length mask, not compressed."""
    flat = mask.astype(bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    return {"size": list(mask.shape), "counts": np.diff([0, *edges, flat.size]).tolist()}


def packed(mask: np.ndarray) -> dict[str, Any]:
    """The same, compressed as the COCO API does."""
    counts, text = runs(mask)["counts"], ""
    for number, count in enumerate(counts):
        rest, more = count - counts[number - 2] if number > 2 else count, True
        while more:
            digit, rest = rest & 31, rest >> 5
            more = rest != (-1 if digit & 16 else 0)
            text += chr(48 + (digit | 32 if more else digit))
    return {"size": list(mask.shape), "counts": text}
