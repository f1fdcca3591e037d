"""First hits and shadows against scenes whose picture is known by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.datasets.synped.camera import Box, look_at
from pipeline.datasets.synped.materials import paint
from pipeline.datasets.synped.raycast import NOTHING, Scene, blocked, covered, trace
from pipeline.datasets.synped.solids import box
from sorn.parts import TORSO

GREY = paint((128, 128, 128), wear=0.0)


def cube(centre=(0.0, 5.0, 0.5)):
    mesh = box((1, 1, 1), centre, GREY)
    return replace(mesh, part=np.full(len(mesh.faces), TORSO, np.uint8))


def rays_from(eye, spot, tangent=0.2, side=100):
    view = look_at(np.array(eye, float), np.array(spot, float), 0.0)
    x, y = Box(-tangent, -tangent, tangent, tangent).centres(side, side)
    return x, y, view.rays(x, y)


def test_a_cube_seen_from_the_front_is_the_square_it_must_be():
    x, y, rays = rays_from((0, 0, 0.5), (0, 5, 0.5))
    scene = Scene(cube())
    hits = trace([scene], rays)
    half = 0.5 / 4.5  # half the edge over the distance of the front face
    expected = (np.abs(x)[None] < half) & (np.abs(y)[:, None] < half)
    seen = (hits.layer == 0).reshape(100, 100)
    assert (seen == expected).all()
    assert (scene.mesh.part[hits.face[hits.layer == 0]] == TORSO).all()
    assert hits.depth[hits.layer == 0] == pytest.approx(4.5, abs=1e-4)
    along = hits.distance * (rays.directions @ np.array([0, 1, 0], np.float32))
    assert along[hits.layer == 0] == pytest.approx(4.5, abs=1e-4)
    assert (hits.face[hits.layer == NOTHING] == NOTHING).all()


def test_the_nearest_scene_wins_in_any_order():
    _, _, rays = rays_from((0, 0, 0.5), (0, 5, 0.5), side=20)
    near, far = Scene(box((0.2, 0.1, 0.2), (0, 2, 0.5), GREY)), Scene(cube())
    first, second = trace([near, far], rays), trace([far, near], rays)
    middle = 10 * 20 + 10
    assert first.layer[middle] == 0
    assert second.layer[middle] == 1
    assert np.array_equal(first.distance, second.distance)


def test_a_scene_placed_elsewhere_looks_as_its_moved_mesh():
    _, _, rays = rays_from((0, 0, 1.5), (0.4, 5, 0.5))
    still = cube(centre=(0, 0, 0.5))
    yaw, position = 0.6, (0.4, 5.0, 0.0)
    moved = trace([Scene(still.placed(yaw, position))], rays)
    placed = trace([Scene(still).placed(yaw, position)], rays)
    assert (moved.layer == placed.layer).mean() > 0.999  # rounding at the silhouette
    both = (moved.layer == 0) & (placed.layer == 0)
    assert both.sum() > 500
    assert moved.distance[both] == pytest.approx(placed.distance[both], abs=1e-3)


@pytest.mark.parametrize("lasting", [False, True])
def test_hits_behind_another_scene_are_covered(lasting):
    x, y, rays = rays_from((0, 0, 0.5), (0, 5, 0.5), side=40)
    target = Scene(cube())
    hits = trace([target], rays)
    body = np.flatnonzero(hits.layer == 0)
    left_half = Scene(box((0.5, 0.1, 2), (-0.25, 3, 0.5), GREY), lasting)
    behind = Scene(box((5, 0.1, 5), (0, 8, 0.5), GREY), lasting)
    found = covered(hits, body, [behind, left_half])
    across = np.tile(x, len(y))[body]
    assert 0.3 < found.mean() < 0.7
    assert np.array_equal(found, across < 0)
    assert not covered(hits, body, [behind]).any()
    assert (hits.layer[body] == 0).all(), "the hits themselves stay"


def test_a_shadow_lies_where_the_sun_says():
    scene = Scene(cube(centre=(0, 0, 0.5)))  # x and y within +-0.5, height 1
    towards_sun = np.array([-1, 0, 1], np.float32) / np.sqrt(2).astype(np.float32)
    ground = np.array([(0.6, 0, 0), (1.4, 0, 0), (1.6, 0, 0), (1.0, 0.45, 0), (1.0, 0.55, 0), (-0.6, 0, 0)], np.float32)
    directions = np.tile(towards_sun, (len(ground), 1))
    assert blocked([scene], ground, directions, reach=10.0).tolist() == [True, True, False, True, False, False]
    assert not blocked([scene], ground, directions, reach=0.05).any()  # nothing casts a shadow beyond the reach


def test_normals_point_out_and_are_rounded_only_where_asked():
    mesh = cube()
    flat = Scene(mesh)
    normals, _ = flat.prepared.normals
    front = np.flatnonzero(np.abs(normals[:, 1] + 1) < 1e-6)
    assert len(front) == 2
    assert np.allclose(flat.corner_normals[front], [0, -1, 0], atol=1e-6)
    rounded = Scene(replace(mesh, smooth=np.ones(len(mesh.faces), bool)))
    assert not np.allclose(rounded.corner_normals[front], [0, -1, 0], atol=0.1)
    assert np.linalg.norm(rounded.corner_normals, axis=2) == pytest.approx(1, abs=1e-5)
