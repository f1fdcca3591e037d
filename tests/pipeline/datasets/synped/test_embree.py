"""Packets of rays against Embree's own answers to single rays, through the package embreex."""

import numpy as np
import pytest
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pipeline.datasets.synped import embree
from pipeline.datasets.synped.embree import Tree, aimed, aimed_from, first_hits, shadows
from pipeline.errors import UserError


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
    """Rays [501, 3] from one point 3 m away, about half of which hit something."""
    directions = np.array([0, 1, 0]) + np.random.default_rng(1).uniform(-0.25, 0.25, (501, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.array([0, -3, 0], np.float32), directions.astype(np.float32)


def bounds_of(vertices):
    return np.stack([vertices.min(axis=0), vertices.max(axis=0)])


def nothing(count):
    return (
        np.full(count, -1, np.int16),
        np.full(count, -1, np.int32),
        np.full(count, 1e6, np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
    )


def test_packets_hit_what_single_rays_hit(soup, rays):
    vertices, faces, scene = soup
    origin, directions = rays
    layer, face, distance, u, v = nothing(len(directions))
    tree = Tree(vertices, faces)
    every = np.arange(len(directions))
    first_hits(tree.address, 3, bounds_of(vertices), origin, directions, every, layer, face, distance, u, v)
    alone = scene.run(np.tile(origin, (len(directions), 1)), directions, output=True)
    met = alone["primID"] >= 0
    assert 0.2 < met.mean() < 0.9
    assert np.array_equal(face, alone["primID"])
    assert np.array_equal(layer, np.where(met, 3, -1))
    for ours, theirs in ((distance, "tfar"), (u, "u"), (v, "v")):
        assert np.array_equal(ours[met], alone[theirs][met])


def test_hits_behind_what_is_known_change_nothing(soup, rays):
    vertices, faces, _ = soup
    origin, directions = rays
    layer, face, distance, u, v = nothing(len(directions))
    distance[:] = 1.0
    every = np.arange(len(directions))
    first_hits(
        Tree(vertices, faces).address, 0, bounds_of(vertices), origin, directions, every, layer, face, distance, u, v
    )
    assert (layer == -1).all() and (face == -1).all() and (distance == 1).all()


def test_shadows_are_those_of_single_rays_within_reach(soup):
    vertices, faces, scene = soup
    rng = np.random.default_rng(2)
    origins = rng.uniform(-1, 1, (333, 3)).astype(np.float32)
    directions = rng.standard_normal((333, 3)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for reach in (0.3, 5.0):
        dark = np.zeros(333, bool)
        tree = Tree(vertices, faces)
        shadows(tree.address, bounds_of(vertices), origins, directions, reach, np.arange(333), dark)
        distances = np.full(333, reach, np.float32)
        alone = scene.run(origins, directions, dists=distances, query="OCCLUDED") == 0
        assert np.array_equal(dark, alone)
    assert 0.05 < dark.mean() < 0.9


def test_a_ray_along_an_axis_that_starts_on_a_border_of_the_box_is_not_lost():
    """0 / 0 in the test of the box must not mean a miss."""
    vertices = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 1]], np.float32)
    layer, face, distance, u, v = nothing(1)
    tree = Tree(vertices, np.array([[0, 1, 2]], np.int32))
    origin, along = np.array([0.25, 0, 0.25], np.float32), np.array([[0, 1, 0]], np.float32)
    for start in (origin, np.array([0, 0, 0.25], np.float32)):
        layer[:], distance[:] = -1, 1e6
        first_hits(tree.address, 0, bounds_of(vertices), start, along, np.arange(1), layer, face, distance, u, v)
        assert layer[0] == 0 and distance[0] == pytest.approx(1)


def test_rays_that_meet_a_ball_are_kept(rays):
    origin, directions = rays
    middle, radius = np.array([0.2, 0, 0.1], np.float32), np.float32(0.4)
    offset = middle - origin
    along = np.maximum(directions @ offset, 0)
    expected = np.flatnonzero(offset @ offset - along * along < radius**2)
    assert 50 < len(expected) < 450
    assert np.array_equal(aimed(directions, offset, radius), expected)
    dark = np.zeros(len(directions), bool)
    dark[expected[::2]] = True
    origins = np.tile(origin, (len(directions), 1))
    assert np.array_equal(aimed_from(origins, directions, middle, radius, dark), expected[1::2])
    inside = aimed(directions, np.array([0, 0.1, 0], np.float32), np.float32(0.5))
    assert len(inside) == len(directions)


def test_a_missing_library_is_a_sentence(monkeypatch):
    monkeypatch.setattr(embree.metadata, "files", lambda name: [])
    with pytest.raises(UserError, match="embree4") as error:
        embree._library_path()
    assert "pip install" in error.value.remedy
