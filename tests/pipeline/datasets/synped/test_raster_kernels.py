"""Drawn first hits against every triangle asked by every ray in turn."""

import numpy as np
import pytest

from pipeline.datasets.synped import raster_kernels as kernels
from pipeline.datasets.synped.camera import look_at
from pipeline.datasets.synped.raycast import FAR

EYE = np.array([0.2, -3.0, 0.4])
STILL = np.eye(3, dtype=np.float32), np.zeros(3, np.float32)


def view_of(rows, columns, shifts=None, reach=0.3):
    x, y = np.linspace(-reach, reach, columns), np.linspace(-0.9 * reach, reach, rows)
    return look_at(EYE, np.array([0.0, 0.0, 0.1]), 0.05).rays(x, y, shifts)


def soup(count, size, seed=0):
    """Small triangles in a cube of 1 m around the origin: vertices and faces."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform(-0.5, 0.5, (count, 1, 3))
    vertices = (middles + rng.normal(0, size, (count, 3, 3))).astype(np.float32).reshape(-1, 3)
    return vertices, np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


def drawn(vertices, faces, rays, block=7, known=FAR, placing=STILL):
    """Layer, face, depth, u and v, [rows, columns] each."""
    shape = rays.shape
    found = (
        np.full(shape, -1, np.int16),
        np.full(shape, -1, np.int32),
        np.full(shape, known, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )
    boxes, members = kernels.blocks_of(vertices, faces, block)
    transform = kernels.placing_of(*placing, rays.view.axes, rays.view.eye)
    wanted = kernels.in_view(boxes, transform, rays.x, rays.y, rays.shifts, np.float32(known))
    corners = kernels.seen(vertices, members, wanted, transform, rays.x, rays.y)
    kernels.draw(3, corners, faces, block, wanted, rays.x, rays.y, rays.shifts, *found)
    return found


def asked(vertices, faces, rays):
    """Face (-1: none), depth, u and v of each ray's first hit, by Cramer's rule in float64."""
    directions = rays.directions.astype(np.float64) * rays.lengths[:, None]
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    best = np.full(len(directions), -1), np.full(len(directions), np.inf), *np.zeros((2, len(directions)))
    for f in range(len(faces)):
        normal = np.cross(b[f] - a[f], c[f] - a[f])
        offset = rays.view.eye - a[f]
        with np.errstate(all="ignore"):
            slope = directions @ normal
            depth = -(offset @ normal) / slope
            aside = np.cross(directions, offset)
            u, v = aside @ (c[f] - a[f]) / slope, -(aside @ (b[f] - a[f])) / slope
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth > 0) & (depth < best[1])
        for values, new in zip(best, (np.full(len(hit), f), depth, u, v), strict=True):
            values[hit] = new[hit]
    return best


@pytest.mark.parametrize(("count", "size", "seed"), [(600, 0.03, 0), (150, 0.2, 1), (40, 2.0, 2)])
@pytest.mark.parametrize("shifted", [False, True])
def test_the_first_hit_is_the_nearest_of_all_triangles(count, size, seed, shifted):
    """Tiny, middling and huge triangles, of which the last ones reach behind the eye."""
    vertices, faces = soup(count, size, seed)
    shifts = np.resize([-0.004, 0.004], 31) if shifted else None
    rays = view_of(31, 23, shifts)
    layer, face, depth, u, v = (values.ravel() for values in drawn(vertices, faces, rays))
    expected = asked(vertices, faces, rays)
    met = expected[0] >= 0
    assert met.mean() > 0.05
    same = face == expected[0]
    assert same.mean() > 0.995, "rays within a rounding of an edge"
    assert np.array_equal(layer, np.where(face >= 0, 3, -1))
    both = same & met
    assert depth[both] == pytest.approx(expected[1][both], rel=1e-5)
    assert np.abs(u - expected[2])[both].max() < 2e-3 and np.abs(v - expected[3])[both].max() < 2e-3
    if size == 2.0:
        forward = (vertices - rays.view.eye) @ rays.view.forward
        behind = (forward[faces] < 0).any(axis=1)
        assert behind[face[both]].any(), "nothing was tested behind the eye"


@pytest.mark.parametrize("block", [1, 5, 64, 10_000])
def test_blocks_out_of_view_change_nothing(block):
    vertices, faces = soup(900, 0.05)
    corners = vertices.reshape(-1, 3, 3)
    vertices = corners[np.argsort(corners[:, 0, 0])].reshape(-1, 3) * np.float32([16, 1, 1])  # mostly beside the view
    rays = view_of(40, 20)
    whole = drawn(vertices, faces, rays, block=len(faces))
    for ours, theirs in zip(drawn(vertices, faces, rays, block=block), whole, strict=True):
        assert np.array_equal(ours, theirs)
    boxes, _ = kernels.blocks_of(vertices, faces, block)
    transform = kernels.placing_of(*STILL, rays.view.axes, rays.view.eye)
    wanted = kernels.in_view(boxes, transform, rays.x, rays.y, rays.shifts, FAR)
    assert block > 64 or 0 < wanted.mean() < 0.7


def test_blocks_behind_what_is_known_are_left_out_and_nearer_ones_are_not():
    vertices, faces = soup(400, 0.03)
    rays = view_of(40, 20)
    depth = drawn(vertices, faces, rays)[2]
    middle = np.float32(np.median(depth[depth < FAR]))
    layer, _, nearer, _, _ = drawn(vertices, faces, rays, known=middle)
    assert np.array_equal(layer == 3, depth < middle)
    assert np.array_equal(nearer, np.minimum(depth, middle))


def test_no_ray_passes_between_the_triangles_of_a_surface():
    """A wall of crumpled triangles with shared corners, edges and corners of which lie on rays exactly."""
    side = 33
    x, z = np.meshgrid(np.linspace(-2, 2, side), np.linspace(-2, 2, side))
    bumps = np.random.default_rng(3).uniform(-0.05, 0.05, x.shape)
    vertices = np.stack([x, bumps, z], axis=2).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + side], axis=1),
            np.stack([corner + side + 1, corner + 1, corner + side], axis=1),  # turned the other way round
        ]
    ).astype(np.int32)
    view = look_at(np.array([0.0, -4.0, 0.0]), np.zeros(3), 0.0)
    grid = np.arange(-64, 65) / 256
    for rays in (view.rays(grid, grid), view.rays(grid * 1.1, grid), view.rays(grid, grid, np.full(129, 1e-4))):
        assert (drawn(vertices, faces, rays, block=64)[0] == 3).all()


def test_of_two_equal_faces_the_first_is_hit_and_a_known_hit_stays():
    vertices = np.array([[-1, 0, -1], [1, 0, -1], [0, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 1, 2], [2, 1, 0]], np.int32)
    rays = view_of(9, 9)
    _, face, depth, u, v = drawn(vertices, faces, rays)
    assert set(np.unique(face)) == {-1, 0}
    again = (np.zeros((9, 9), np.int16), np.full((9, 9), 5, np.int32), depth.copy(), u.copy(), v.copy())
    _, members = kernels.blocks_of(vertices, faces, 64)
    transform = kernels.placing_of(*STILL, rays.view.axes, rays.view.eye)
    corners = kernels.seen(vertices, members, np.ones(1, bool), transform, rays.x, rays.y)
    kernels.draw(1, corners, faces, 64, np.ones(1, bool), rays.x, rays.y, rays.shifts, *again)
    assert (again[0] == 0).all() and (again[1] == 5).all()


def test_triangles_seen_along_their_edge_or_without_area_are_nothing():
    along = EYE + np.array([[0, 1, 0], [0, 2, 0], [0, 2, 0.5]])
    flat = np.array([[0, 0, 0], [0.5, 0, 0], [1, 0, 0]])
    vertices = np.concatenate([along, flat, np.zeros((3, 3))]).astype(np.float32)
    view = look_at(EYE, EYE + np.array([0, 1, 0]), 0.0)
    rays = view.rays(np.linspace(-0.3, 0.3, 31), np.linspace(-0.3, 0.3, 31))
    assert (drawn(vertices, np.arange(9, dtype=np.int32).reshape(3, 3), rays)[0] == -1).all()


def test_a_turned_and_moved_mesh_is_drawn_where_its_vertices_are():
    vertices, faces = soup(100, 0.1)
    cos, sin = np.cos(0.7), np.sin(0.7)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
    shift = np.array([0.1, 0.4, -0.2], np.float32)
    rays = view_of(40, 30)
    there = drawn((vertices @ turn.T + shift).astype(np.float32), faces, rays)
    placed = drawn(vertices, faces, rays, placing=(turn, shift))
    assert (there[1] == placed[1]).mean() > 0.99
    met = (there[1] == placed[1]) & (there[0] == 3)
    assert met.sum() > 100
    assert there[2][met] == pytest.approx(placed[2][met], rel=1e-5)


def test_one_row_or_one_column_of_rays_is_enough():
    vertices = np.array([[-9, 1, -9], [9, 1, -9], [0, 1, 9]], np.float32)
    faces = np.array([[0, 1, 2]], np.int32)
    view = look_at(EYE, np.array([0.2, 1.0, 0.4]), 0.0)
    for x, y in (([0.0], [0.1]), ([-0.1, 0.0, 0.1], [0.0]), ([0.0], [-0.1, 0.1])):
        layer, _, depth, _, _ = drawn(vertices, faces, view.rays(np.array(x), np.array(y)))
        assert (layer == 3).all() and depth == pytest.approx(4.0)
