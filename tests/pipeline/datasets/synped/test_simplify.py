"""Simplified meshes: fewer triangles, the same shape."""

import numpy as np
import pytest

from pipeline.datasets.synped.materials import paint
from pipeline.datasets.synped.mesh import join
from pipeline.datasets.synped.simplify import simplified
from pipeline.datasets.synped.solids import box, lathe


def ball(segments=60):
    angles = np.linspace(0.01, np.pi - 0.01, segments)
    return lathe([(0.1 * np.sin(a), -0.1 * np.cos(a)) for a in angles], paint((90, 90, 90)), segments)


def test_a_fine_ball_stays_a_ball_of_fewer_triangles():
    fine = ball()
    coarse = simplified(fine, 0.02)
    assert len(coarse.faces) < 0.5 * len(fine.faces)
    assert np.linalg.norm(coarse.vertices, axis=1) == pytest.approx(0.1, abs=0.01)
    assert coarse.faces.max() < len(coarse.vertices) == len(coarse.coords)
    assert len(coarse.part) == len(coarse.surface) == len(coarse.smooth) == len(coarse.faces)


def test_what_is_coarse_already_does_not_change():
    cube = box((1, 1, 1), (0, 0, 0), paint((90, 90, 90)))
    same = simplified(cube, 0.01)
    assert len(same.faces) == len(cube.faces)
    assert sorted(map(tuple, same.vertices)) == sorted(map(tuple, cube.vertices))


def test_surfaces_do_not_merge():
    cloth = skin = ball()
    both = simplified(join([skin, cloth]), 0.02)
    assert len(both.vertices) == 2 * len(simplified(skin, 0.02).vertices)
