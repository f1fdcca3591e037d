"""Kernels of the sky against plain numpy, bit for bit."""

import numpy as np

from pipeline.datasets.synped import sky_kernels as kernels

COUNT = 60


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_sky_is_hazy_at_the_horizon():
    directions, (sky, haze, below) = random(COUNT, 3), random(3, 3, seed=1)
    radiance = np.empty((COUNT, 3), np.float32)
    kernels.sky_seen(directions, np.stack([sky, haze, below]), radiance)
    up = directions[:, 2:]
    share = np.clip(up * 3, 0, 1)
    assert np.array_equal(radiance, np.where(up > 0, haze * (1 - share) + sky * share, below))


def test_numbers_of_neighbours_are_spread_out():
    rays = np.arange(0, 70, 2)
    row, column = np.divmod(rays, 7)
    first, second = kernels.spread_out(rays, 7, 0.3, 0.8)
    for found, a, b, start in ((first, 0.7548776662, 0.5698402910, 0.3), (second, 0.8191725134, 0.6710436067, 0.8)):
        value = row * a + column * b + start
        assert np.array_equal(found, (value - np.floor(value)).astype(np.float32))
        assert len(np.unique(np.round(found, 3))) == len(rays)


def test_rays_to_the_sky_lean_to_the_normal():
    position, flat = random(COUNT, 3), random(COUNT, 3, seed=1)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    chosen = np.arange(1, COUNT, 2)
    angle, height = np.random.default_rng(2).uniform(-1, 1, (2, len(chosen))).astype(np.float32)
    cosine, sine = np.cos(np.float32(np.pi) * angle), np.sin(np.float32(np.pi) * angle)
    origins, directions = kernels.sky_rays(chosen, position, flat, cosine, sine, height)
    ring = np.sqrt(np.maximum(1 - height * height, 0))
    expected = flat[chosen] * np.float32(1.001) + np.stack([ring * cosine, ring * sine, height], axis=1)
    length = np.sqrt(np.einsum("ij,ij->i", expected, expected))
    assert np.array_equal(directions, expected / length[:, None])
    assert np.array_equal(origins, position[chosen])
    assert ((directions * flat[chosen]).sum(axis=1) > 0).all()
