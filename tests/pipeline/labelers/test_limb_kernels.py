"""Kernels of limbs, against the same distances computed one pixel at a time."""

import numpy as np
import pytest

from pipeline.labelers.limb_kernels import (
    axis_confidences,
    clear_inside,
    in_half_widths,
    squared_distances,
    take_nearer,
)

X, Y = np.arange(12) + 0.5, np.arange(9) + 0.5


def distance(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """From a line between two points, by trying ten thousand places on it."""
    places = start + np.linspace(0, 1, 10_001)[:, None] * (end - start)
    return float(np.linalg.norm(places - point, axis=1).min())


@pytest.mark.parametrize(
    "edges", [[[3, 2, 8, 7]], [[4, 4, 4, 4]], [[-5, 20, 30, -4]], [[1, 1, 9, 1], [9, 1, 5, 8], [5, 8, 1, 1]]]
)
def test_squared_distances(edges: list[list[float]]) -> None:
    lines, found = np.array(edges, np.float64), np.empty((len(Y), len(X)))
    squared_distances(X, Y, lines, found)
    for row, column in ((0, 0), (4, 5), (8, 11), (3, 3)):
        point = np.array([X[column], Y[row]])
        expected = min(distance(point, line[:2], line[2:]) for line in lines)
        assert np.sqrt(found[row, column]) == pytest.approx(expected, abs=0.002)


def test_the_inside_of_a_polygon() -> None:
    square = np.array([[2, 3, 6, 3], [6, 3, 6, 7], [6, 7, 2, 7], [2, 7, 2, 3]], np.float64)
    found = np.ones((len(Y), len(X)))
    clear_inside(X, Y, square, found)
    expected = np.ones_like(found)
    expected[3:7, 2:6] = 0
    assert (found == expected).all()


def test_half_widths() -> None:
    squared = np.array([[0.0, 9.0], [16.0, 0.25]])
    in_half_widths(squared, 2.0, 0.5)
    assert squared.tolist() == [[0.5, 2.0], [2.5, 0.75]]


def test_of_equal_distances_the_first_counts() -> None:
    least, nearest = np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3), np.int64)
    take_nearer(np.array([[1.0, 1.5, 4.0]]), 7, least, nearest)
    assert least.tolist() == [[1.0, 1.5, 3.0]] and nearest.tolist() == [[0, 7, 0]]


def test_confidences_run_from_end_to_end() -> None:
    axes = np.array([[[0.5, 0.5, 0.2], [10.5, 0.5, 0.8]], [[4, 4, 0.3], [4, 4, 0.9]]])
    numbers = np.zeros((len(Y), len(X)), np.int64)
    numbers[5:] = 1
    found = axis_confidences(X, Y, numbers, axes)
    assert found[0, :3] == pytest.approx([0.2, 0.26, 0.32]) and found[4, 11] == pytest.approx(0.8)
    assert (found[5:] == 0.3).all(), "an axis without length has the confidence of its start"
