"""Kernels of shading against plain numpy, bit for bit."""

import numpy as np
import pytest

from pipeline.datasets.synped import shade_kernels as kernels

COUNT = 60


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_points_between_corners():
    faces = np.random.default_rng(0).integers(0, 20, (30, 3)).astype(np.int32)
    smooth = np.arange(30) % 2 == 0
    at_vertices, at_faces, coords = random(20, 3), random(30, 3, seed=1), random(20, 3, seed=2)
    face = np.random.default_rng(3).integers(0, 30, COUNT).astype(np.int32)
    u, v = np.random.default_rng(4).random((2, COUNT), dtype=np.float32) / 2
    rays = np.arange(0, COUNT, 2)
    normal, flat, place = kernels.interpolated(rays, face, u, v, faces, smooth, at_vertices, at_faces, coords)
    chosen = face[rays]
    weights = np.stack([1 - u - v, u, v], axis=1)[rays]
    corners = np.where(smooth[chosen][:, None, None], at_vertices[faces[chosen]], at_faces[chosen][:, None])
    assert np.array_equal(normal, np.einsum("nk,nkc->nc", weights, corners))
    assert np.array_equal(place, np.einsum("nk,nkc->nc", weights, coords[faces[chosen]]))
    assert np.array_equal(flat, at_faces[chosen])


def test_normals_face_the_viewer():
    normals, directions = random(10, 3), random(20, 3, seed=1)
    rays = np.arange(5, 15)
    expected = np.where((normals * directions[rays]).sum(axis=1, keepdims=True) > 0, -normals, normals)
    kernels.face_viewer(normals, directions, rays)
    assert np.array_equal(normals, expected)


def test_hits_are_sorted_by_surface_in_their_order():
    surface = np.random.default_rng(0).integers(0, 4, 30).astype(np.int16)
    face = np.random.default_rng(1).integers(0, 30, COUNT).astype(np.int32)
    order, starts = kernels.sorted_by_surface(surface, face, 5)
    assert np.array_equal(order, np.argsort(surface[face], kind="stable"))
    assert np.array_equal(np.diff(starts), np.bincount(surface[face], minlength=5))


def test_normals_are_tilted_by_the_table():
    table, place, normal = random(8, 8, 3), random(COUNT, 3, seed=1), random(COUNT, 3, seed=2)
    step, p = np.float32(4.3), place
    x, y = (p[:, 0] + np.float32(0.73) * p[:, 1]) * step, (p[:, 2] + np.float32(0.61) * p[:, 1]) * step
    a, b = (x - np.floor(x))[:, None], (y - np.floor(y))[:, None]
    c0, r0 = np.floor(x).astype(int) % 8, np.floor(y).astype(int) % 8
    c1, r1 = (c0 + 1) % 8, (r0 + 1) % 8
    top = table[r0, c0] * (1 - a) + table[r0, c1] * a
    bottom = table[r1, c0] * (1 - a) + table[r1, c1] * a
    expected = normal + np.float32(0.2) * (top * (1 - b) + bottom * b)
    kernels.tilt(normal, place, 0.2, step, table)
    assert np.array_equal(normal, expected)


def test_vectors_become_unit_and_zero_stays_zero():
    vectors = random(COUNT, 3)
    vectors[7] = 0
    length = np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), np.float32(1e-12))
    expected = vectors / length[:, None]
    kernels.normalise(vectors)
    assert np.array_equal(vectors, expected)


def test_points_lie_off_the_surface():
    origin, distance, directions, flat = (
        random(3),
        random(COUNT, seed=1),
        random(COUNT, 3, seed=2),
        random(30, 3, seed=3),
    )
    rays = np.arange(30, COUNT)
    expected = origin + distance[rays, None] * directions[rays] + np.float32(0.004) * flat
    assert np.array_equal(kernels.off_surface(origin, distance, directions, flat, rays, 0.004), expected)


@pytest.mark.parametrize("reach", [2, 3])
def test_light_is_shared_within_a_layer_and_a_window_only(reach):
    rows, columns = 9, 7
    rng = np.random.default_rng(0)
    layer = rng.integers(-1, 3, rows * columns).astype(np.int16)
    found = np.flatnonzero(layer >= 0)
    asked = found[rng.random(len(found)) < 0.5]
    dark = rng.random(len(asked)) < 0.4
    shares = kernels.neighbours_mean(dark, asked, found, layer, columns, reach)
    for ray, share in zip(found, shares, strict=True):
        away = np.maximum(abs(asked // columns - ray // columns), abs(asked % columns - ray % columns))
        near = (away <= reach) & (layer[asked] == layer[ray])
        lit = np.float32((~dark[near]).sum()) / np.float32(max(near.sum(), 1))
        assert share == lit


def test_radiance_is_light_times_albedo_behind_haze():
    rays = np.arange(0, 2 * COUNT, 2)
    albedo, normals, mirror, colours = (random(*s, seed=k) for k, s in enumerate([(COUNT, 3)] * 3 + [(4, 3)]))
    side, sky_free, facing, fade, sun_free = np.random.default_rng(9).uniform(-0.2, 1, (5, COUNT)).astype(np.float32)
    radiance, irradiance = np.full((2 * COUNT, 3), 9, np.float32), np.full(2 * COUNT, 9, np.float32)
    kernels.lighten(
        rays, albedo, normals, side, sky_free, facing, fade, sun_free, mirror, colours, radiance, irradiance
    )
    sky, ground, sun, haze = colours
    up = 0.5 + 0.5 * normals[:, 2:]
    ambient = (sky * up + ground * (1 - up)) * side[:, None]
    arriving = ambient * (0.22 + 0.78 * sky_free)[:, None] + sun * (np.clip(facing, 0, None) * sun_free)[:, None]
    expected = (albedo * arriving + mirror) * fade[:, None] + haze * (1 - fade[:, None])
    assert np.array_equal(radiance[rays], expected)
    assert np.array_equal(irradiance[rays], arriving.mean(axis=1))
    assert (radiance[1::2] == 9).all() and (irradiance[1::2] == 9).all()


def test_rays_of_a_view_are_unit_vectors_row_by_row():
    x, y, shifts, axes = random(5), random(4, seed=1), random(4, seed=3), random(3, 3, seed=2)
    right, up, forward = axes
    along = (x + shifts[:, None])[..., None]
    expected = (forward + along * right - y[:, None, None] * up).reshape(-1, 3)
    kernels.normalise(expected)
    assert np.array_equal(kernels.view_rays(x, y, shifts, axes), expected)


def test_values_are_scattered_to_their_rows():
    rows = np.array([4, 0, 2])
    values = random(3, 3), random(3, 3, seed=1), random(3, 3, seed=2)
    arrays = [np.zeros((5, 3), np.float32) for _ in values]
    kernels.scatter(rows, *values, *arrays)
    for value, array in zip(values, arrays, strict=True):
        assert np.array_equal(array[rows], value)
        assert (array[[1, 3]] == 0).all()
