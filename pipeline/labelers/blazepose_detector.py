"""Detections of BlazePose's person detector, from its raw output.

The detector looks at a square of 224 pixels. Every cell of its grids of 28, 14 and 7 cells has two or six anchors. Each
anchor says how sure it is of a person there, and four points relative to the middle of its cell: of them this program
uses the middle of the hips, a point on the circle around the whole body, and the middle of the shoulders (V. Bazarevsky
et al., "BlazePose: On-device Real-time Body Pose Tracking", 2020).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from pipeline.labelers.blazepose_region import Region

SIDE = 224  # pixels of the detector's input
GRIDS = ((28, 2), (14, 2), (7, 6))  # cells of a side, anchors of a cell
SAME_PERSON = 0.3  # of two boxes: the intersection over union above which they show one person
CIRCLE = 1.25  # radius of the pose network's region over that of the body's circle, as in its training
HIPS, ON_CIRCLE, SHOULDERS = 0, 1, 2  # of the four points


@dataclass(frozen=True)
class Detection:
    """One detected person.

    score: in [0, 1]. points: float64 [4, 2] x, y in pixels of the image.
    """

    score: float
    points: np.ndarray

    @property
    def upright(self) -> bool:
        """Whether the torso is within 45 degrees of upright.

        The others are mostly upside down.
        """
        right, down = self.points[SHOULDERS] - self.points[HIPS]
        return bool(down < 0 and abs(right) <= -down)

    @property
    def radius(self) -> float:
        """Of the circle around the whole body, in pixels."""
        return float(np.linalg.norm(self.points[ON_CIRCLE] - self.points[HIPS]))

    def region(self) -> Region:
        """What the pose network is to see."""
        x, y = self.points[HIPS].tolist()
        return Region.square(x, y, 2 * CIRCLE * max(self.radius, 1.0))

    def box(self, size: tuple[int, ...]) -> np.ndarray:
        """Box of the body's circle, [4] in fractions of an image.

        size: (h, w) of the image.
        """
        (x, y), radius = self.points[HIPS], self.radius
        edges = np.array([x - radius, y - radius, x + radius, y + radius])
        fractions: np.ndarray = edges / np.array([size[1], size[0]] * 2)
        return fractions


def detections(raw: np.ndarray, logits: np.ndarray, region: Region, min_score: float) -> list[Detection]:
    """People by falling score.

    raw: [2254, 12] box and four points of each anchor, in pixels of the input. logits: [2254]. region: what the
    detector saw. Of detections that overlap, the one with the highest score counts.
    """
    scores = 1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))
    sure = np.flatnonzero(scores >= min_score)  # a few of the 2254
    raw, scores, cells = raw[sure], scores[sure], anchors()[sure]
    middles, sizes = raw[:, :2] / SIDE + cells, raw[:, 2:4] / SIDE
    boxes = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=1)
    kept: list[int] = []
    for number in np.argsort(-scores, kind="stable"):
        if all(_overlap(boxes[number], boxes[other]) <= SAME_PERSON for other in kept):
            kept.append(int(number))
    places = raw[:, 4:].reshape(-1, 4, 2) / SIDE + cells[:, None]
    return [Detection(float(scores[number]), region.to_image(places[number])) for number in kept]


@functools.cache
def anchors() -> np.ndarray:
    """Middles of the cells of all anchors, float64 [2254, 2].

    x, y in fractions of the input.
    """
    found = []
    for cells, count in GRIDS:
        middles = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(middles, middles)
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(found)


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes [4]."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(sides.clip(0)))
    union = sum(float(np.prod(box[2:] - box[:2])) for box in (one, other)) - common
    return common / union if union > 0 else 0.0
