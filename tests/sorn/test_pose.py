"""Stripe visibility by landmarks, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sorn.pose import stripe_visibility
from sorn.sample import JOINTS


def pose(*landmarks: tuple[float, float, float]) -> np.ndarray:
    """[17, 3] float32: these landmarks, the others unknown."""
    keypoints = np.zeros((len(JOINTS), 3), np.float32)
    for joint, landmark in enumerate(landmarks):
        keypoints[joint] = landmark
    return keypoints


def test_the_surest_landmark_of_a_stripe_is_its_score() -> None:
    found = stripe_visibility(np.stack([pose((0.5, 0.1, 0.3), (0.5, 0.2, 0.8), (0.2, 0.9, 0.4)), pose()]), 3)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[0.8, 0, 0.4], [0, 0, 0]]))


def test_borders_belong_to_the_lower_stripe_and_the_outside_to_none() -> None:
    for landmark, expected in (
        ((0.5, 0.0, 1), [1, 0]),
        ((0.0, 0.4999, 1), [1, 0]),
        ((0.5, 0.5, 1), [0, 1]),
        ((0.5, 1.0, 1), [0, 0]),
        ((0.5, -0.01, 1), [0, 0]),
        ((1.0, 0.7, 1), [0, 0]),
        ((-0.1, 0.7, 1), [0, 0]),
    ):
        assert stripe_visibility(pose(landmark)[None], 2).tolist() == [expected], landmark


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("stripes", [0, 1, 6])
def test_shapes(n: int, stripes: int) -> None:
    assert stripe_visibility(np.zeros((n, 17, 3), np.float32), stripes).shape == (n, stripes)
