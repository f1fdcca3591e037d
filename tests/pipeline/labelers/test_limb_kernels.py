"""Kernels of limbs, against the same distances computed one pixel at a time."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelers.limb_kernels import axis_confidences, limb_distances, nearest_limbs

X, Y = np.arange(12) + 0.5, np.arange(9) + 0.5
LINE, POINT = [[3, 2, 8, 7]], [[4, 4, 4, 4]]
SQUARE = [[2, 3, 6, 3], [6, 3, 6, 7], [6, 7, 2, 7], [2, 7, 2, 3]]


def distance(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """From a line between two points, by trying ten thousand places on it."""
    places = start + np.linspace(0, 1, 10_001)[:, None] * (end - start)
    return float(np.linalg.norm(places - point, axis=1).min())


def shapes(*limbs: list[list[float]], kind: type = np.float64) -> tuple[np.ndarray, ...]:
    """Edges, starts, half widths 2, and 0.5 behind for the last limb."""
    starts = np.concatenate([[0], np.cumsum([len(edges) for edges in limbs])])
    behind = np.zeros(len(limbs), kind)
    behind[-1] = 0.5
    return np.array([edge for edges in limbs for edge in edges], kind), starts, np.full(len(limbs), 2, kind), behind


@pytest.mark.parametrize("edges", [LINE, POINT, [[-5, 20, 30, -4]], [[1, 1, 9, 1], [9, 1, 5, 8], [5, 8, 1, 1]]])
def test_distances_are_those_from_the_nearest_edge(edges: list[list[float]]) -> None:
    lines, found = np.array(edges, np.float64), np.empty((2, len(Y), len(X)))
    limb_distances(X, Y, *shapes(POINT, edges), found)
    for row, column in ((0, 0), (4, 11), (8, 11), (3, 0)):  # outside of the polygon
        point = np.array([X[column], Y[row]])
        expected = min(distance(point, line[:2], line[2:]) for line in lines)
        assert found[1, row, column] == pytest.approx(expected / 2 + 0.5, abs=0.002)


def test_inside_a_polygon_the_distance_is_none_but_what_is_behind() -> None:
    found = np.empty((1, len(Y), len(X)))
    limb_distances(X, Y, *shapes(SQUARE), found)
    inside = found[0] == 0.5
    assert inside[3:7, 2:6].all() and inside.sum() == 16


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_nearest_limb_with_its_distance_and_confidence(kind: type) -> None:
    axes = np.array([[[3, 2, 0.2], [8, 7, 0.8]], [[4, 4, 0.3], [4, 4, 0.9]], [[3, 2, 0.4], [8, 7, 0.4]]], kind)
    given = shapes(LINE, POINT, LINE, kind=kind)
    every = np.empty((3, len(Y), len(X)))
    limb_distances(X, Y, *shapes(LINE, POINT, LINE), every)
    size = len(Y), len(X)
    nearest, least, confidence = np.empty(size, np.uint8), np.empty(size, kind), np.empty(size, kind)
    parts = np.array([5, 7, 9], np.uint8)
    nearest_limbs(X.astype(kind), Y.astype(kind), *given, axes, parts, nearest, least, confidence)
    assert least == pytest.approx(every.min(axis=0), abs=1e-5)
    apart = np.abs(every[0] - every[1]) > 1e-5
    assert (nearest == np.where(every[0] < every[1], 5, 7))[apart].all() and not (nearest == 9).any()
    assert confidence[nearest == 7] == pytest.approx(0.3), "an axis without length has the confidence of its start"
    assert (nearest[2, 3], nearest[6, 7]) == (5, 5)
    assert confidence[2, 3] == pytest.approx(0.2 + 0.6 * 0.1) and confidence[6, 7] == pytest.approx(0.2 + 0.6 * 0.9)


def test_confidences_run_from_end_to_end() -> None:
    axes = np.array([[[0.5, 0.5, 0.2], [10.5, 0.5, 0.8]], [[4, 4, 0.3], [4, 4, 0.9]]])
    numbers = np.zeros((len(Y), len(X)), np.int64)
    numbers[5:] = 1
    found = axis_confidences(X, Y, numbers, axes)
    assert found[0, :3] == pytest.approx([0.2, 0.26, 0.32]) and found[4, 11] == pytest.approx(0.8)
    assert (found[5:] == 0.3).all(), "an axis without length has the confidence of its start"
