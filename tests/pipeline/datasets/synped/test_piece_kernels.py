"""Kernels over pieces of clothes against plain numpy and cases worked out by hand."""

import numpy as np

from pipeline.datasets.synped import piece_kernels as kernels


def test_triangles_are_cut_where_the_inside_ends():
    faces = np.array([[0, 1, 2], [1, 2, 3], [3, 4, 5], [2, 3, 4]], np.int32)
    inside = np.array([True, True, True, False, False, False])
    kept, source, start, end = kernels.cut_faces(faces, inside)
    # Whole: 0. One corner inside: the last one, cut from 2 to 3 and to 4. Two inside: face 1, whose lone corner is 3.
    assert source.tolist() == [0, 3, 1, 1]
    assert list(zip(start.tolist(), end.tolist(), strict=True)) == [(2, 3), (2, 4), (3, 1), (3, 2)]
    assert kept.tolist() == [[0, 1, 2], [2, 6, 7], [8, 1, 2], [8, 2, 9]]


def test_the_nearest_point_is_the_first_of_equals():
    rng = np.random.default_rng(0)
    points, others = (rng.standard_normal((count, 3)).astype(np.float32) for count in (30, 80))
    others[70] = others[10]
    expected = np.linalg.norm(points[:, None] - others[None], axis=2).argmin(axis=1)
    assert np.array_equal(kernels.nearest(points, others), expected)
    assert kernels.nearest(others[10:11], others).tolist() == [10]


def test_supports_are_those_of_the_points_near_each_height():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (200, 3)).astype(np.float32)
    points[np.abs(points[:, 2]) < 0.3, 2] = 0.9  # no point near the height 0
    heights, half = np.array([0.6, 0.0, -0.6], np.float32), 0.25
    angles = np.arange(8) * np.pi / 4
    directions = np.stack([np.sin(angles), -np.cos(angles)], axis=1).astype(np.float32)
    reach = points[:, :1] * directions[:, 0] + points[:, 1:2] * directions[:, 1]
    found = kernels.supports(points, heights, half, directions)
    for row in (0, 2):
        assert np.array_equal(found[row], reach[np.abs(points[:, 2] - heights[row]) < half].max(axis=0))
    assert np.array_equal(found[1], found[0])
    above = kernels.supports(points - np.float32(5), heights, half, directions)
    assert (above == 0).all()


def test_the_strongest_columns_fall_and_equals_keep_their_order():
    weights = np.random.default_rng(0).integers(0, 4, (100, 9)).astype(np.float32)
    expected = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    assert np.array_equal(kernels.strongest(weights, 4), expected)


def test_points_are_brought_back_into_a_frame():
    rng = np.random.default_rng(0)
    points, shift, turn, middle = (rng.standard_normal(shape).astype(np.float32) for shape in ((9, 3), 3, (3, 3), 3))
    away = points - shift
    expected = away[:, :1] * turn[:, 0] + away[:, 1:2] * turn[:, 1] + away[:, 2:] * turn[:, 2] - middle
    assert np.array_equal(kernels.brought_back(points, shift, turn, middle), expected)
