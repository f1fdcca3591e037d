"""Detections from raw output: anchors, points, people who are counted once."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelers.blazepose_detector import Detection, anchors, detections
from pipeline.labelers.blazepose_region import Region

SQUARE = Region(-50, 0, 200, 200)


def output(*people: tuple[int, float, tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """anchor, logit, and in pixels of 224 the offset of the box's middle, of 40 pixels; points beside it."""
    raw, logits = np.zeros((len(anchors()), 12), np.float32), np.full(len(anchors()), -200.0, np.float32)
    for anchor, logit, (x, y) in people:
        raw[anchor] = [x, y, 40, 40, x, y, x, y - 56, x, y - 28, x, y]
        logits[anchor] = logit
    return raw, logits


def test_every_cell_of_the_three_grids_has_its_anchors() -> None:
    found = anchors()
    assert found.shape == (2 * 28**2 + 2 * 14**2 + 6 * 7**2, 2) == (2254, 2)
    assert found[0].tolist() == found[1].tolist() == [0.5 / 28, 0.5 / 28]
    assert found[2].tolist() == [1.5 / 28, 0.5 / 28] and found[56].tolist() == [0.5 / 28, 1.5 / 28]
    assert found[2 * 28**2].tolist() == [0.5 / 14, 0.5 / 14] and found[-1].tolist() == [6.5 / 7, 6.5 / 7]


def test_points_are_relative_to_the_anchor_in_pixels_of_the_input() -> None:
    (one,) = detections(*output((2253, 0.0, (-104.0, 8.0))), SQUARE, 0.5)
    assert one.score == 0.5
    middle = np.array([6.5 / 7 - 104 / 224, 6.5 / 7 + 8 / 224]) * 200 - [50, 0]
    assert one.points[0] == pytest.approx(middle) and one.points[1] == pytest.approx(middle - [0, 50])
    assert one.radius == pytest.approx(50) and one.upright
    x, y = middle
    region = one.region()
    assert (region.width, region.left + 62.5, region.top + 62.5) == pytest.approx((125, x, y))
    assert one.box((200, 100)) == pytest.approx([(x - 50) / 100, (y - 50) / 200, (x + 50) / 100, (y + 50) / 200])


def test_overlapping_detections_are_one_person() -> None:
    raw, logits = output((0, 1.0, (50, 50)), (2, 2.0, (50, 50)), (1200, 0.5, (90, 0)), (40, -0.1, (0, 0)))
    found = detections(raw, logits, SQUARE, 0.5)
    assert [round(float(one.score), 3) for one in found] == [0.881, 0.622]
    assert len(detections(raw, logits, SQUARE, 0.4)) == 3 and detections(raw, logits, SQUARE, 0.9) == []


@pytest.mark.parametrize(
    ("right", "down", "upright"), [(0, -10, True), (10, -10, True), (11, -10, False), (-11, -10, False), (0, 10, False)]
)
def test_upright_is_within_45_degrees(right: float, down: float, upright: bool) -> None:
    points = np.array([[0, 0], [0, -20], [right, down], [0, 0]], float)
    assert Detection(0.9, points).upright is upright
    assert not Detection(0.9, np.zeros((4, 2))).upright
    assert Detection(0.9, np.zeros((4, 2))).region().width == 2.5  # a point has a region all the same
