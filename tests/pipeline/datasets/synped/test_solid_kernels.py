"""Kernel of bars against plain numpy, bit for bit."""

import numpy as np
import pytest

from pipeline.datasets.synped.solid_kernels import rings


@pytest.mark.parametrize("path", [[(0, 0, 0), (0, 0, 2)], [(0, 0, 0), (0.3, 0.1, 1), (1, 0.2, 1.2), (1, 2, 1)]])
def test_rings_are_circles_across_the_path(path):
    points = np.array(path, float)
    along = np.gradient(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    helper = np.where(np.abs(along[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, along)
    angles = np.linspace(0, 2 * np.pi, 7, endpoint=False)
    cosines, sines = np.cos(angles), np.sin(angles)
    ring = side[:, None] * cosines[None, :, None] + up[:, None] * sines[None, :, None]
    expected = (points[:, None] + 0.05 * ring).astype(np.float32).reshape(-1, 3)
    assert np.array_equal(rings(points, 0.05, cosines, sines), expected)
