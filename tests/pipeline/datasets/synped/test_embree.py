"""Packets of shadow rays against Embree's own answers to single rays, through the package embreex."""

import numpy as np
import pytest
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pipeline.datasets.synped import embree
from pipeline.datasets.synped.embree import Tree, shadows
from pipeline.errors import UserError

STILL = np.eye(3, dtype=np.float32), np.zeros(3, np.float32)


@pytest.fixture(scope="module")
def soup():
    """600 small triangles in a cube of 1 m around the origin, and the same in embreex."""
    rng = np.random.default_rng(0)
    middles = rng.uniform(-0.5, 0.5, (600, 1, 3))
    vertices = (middles + rng.normal(0, 0.05, (600, 3, 3))).astype(np.float32).reshape(-1, 3)
    faces = np.arange(1800, dtype=np.int32).reshape(-1, 3)
    scene = EmbreeScene()
    TriangleMesh(scene, vertices, faces)
    return vertices, faces, scene


@pytest.fixture(scope="module")
def rays():
    """Origins and directions [333, 3] in and around the soup."""
    rng = np.random.default_rng(2)
    origins = rng.uniform(-1, 1, (333, 3)).astype(np.float32)
    directions = rng.standard_normal((333, 3)).astype(np.float32)
    return origins, (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


def around(vertices):
    """Bounds and ball."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    ball = np.append((low + high) / 2, np.linalg.norm(high - low) / 2)
    return np.stack([low, high]), ball.astype(np.float32)


@pytest.mark.parametrize("lasting", [False, True])
def test_shadows_are_those_of_single_rays_within_reach(soup, rays, lasting):
    vertices, faces, scene = soup
    for reach in (0.3, 5.0):
        dark = np.zeros(333, bool)
        tree = Tree(vertices, faces, lasting)
        shadows(tree.address, *around(vertices), *STILL, *rays, reach, dark)
        distances = np.full(333, reach, np.float32)
        alone = scene.run(*rays, dists=distances, query="OCCLUDED") == 0
        assert np.array_equal(dark, alone)
    assert 0.05 < dark.mean() < 0.9


def test_rays_around_a_turned_mesh_meet_what_turned_rays_meet(soup, rays):
    vertices, faces, scene = soup
    origins, directions = rays
    cos, sin = np.cos(0.7), np.sin(0.7)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
    shift = np.array([3, -2, 0.5], np.float32)
    there, towards = origins @ turn.T + shift, directions @ turn.T
    dark, tree = np.zeros(333, bool), Tree(vertices, faces, False)
    shadows(tree.address, *around(vertices), turn, shift, there, towards, 5.0, dark)
    alone = scene.run(origins, directions, dists=np.full(333, 5, np.float32), query="OCCLUDED") == 0
    assert (dark == alone).mean() > 0.99  # rounding at the edges of triangles


def test_dark_rays_stay_dark(soup, rays):
    vertices, faces, _ = soup
    dark = np.arange(333) % 2 == 0
    free = np.zeros(333, bool)
    tree = Tree(vertices, faces, False)
    for answers in (dark, free):
        shadows(tree.address, *around(vertices), *STILL, *rays, 5.0, answers)
    assert dark[::2].all() and not free[::2].all()
    assert np.array_equal(dark[1::2], free[1::2])


def test_a_ray_along_an_axis_that_starts_on_a_border_of_the_box_is_not_lost():
    """0 / 0 in the test of the box must not mean a miss."""
    vertices = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 1]], np.float32)
    tree = Tree(vertices, np.array([[0, 1, 2]], np.int32), False)
    along = np.array([[0, 1, 0]], np.float32)
    for start in ([0.25, 0, 0.25], [0, 0, 0.25]):
        dark = np.zeros(1, bool)
        shadows(tree.address, *around(vertices), *STILL, np.array([start], np.float32), along, 5.0, dark)
        assert dark[0]


def test_a_missing_library_is_a_sentence(monkeypatch):
    monkeypatch.setattr(embree.metadata, "files", lambda name: [])
    with pytest.raises(UserError, match="embree4") as error:
        embree._library_path()
    assert "pip install" in error.value.remedy
