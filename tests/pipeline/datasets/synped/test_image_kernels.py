"""Kernels over textures and images against plain numpy, bit for bit."""

import numpy as np

from pipeline.datasets.synped import image_kernels as kernels


def test_texels_are_bilinear_and_repeat():
    rng = np.random.default_rng(0)
    image = rng.random((5, 7, 3), dtype=np.float32)
    across, down = rng.uniform(-2, 2, 200), rng.uniform(-2, 2, 200).astype(np.float32)
    x, y = across * 7.5, down * np.float32(4.1)
    left, top = np.floor(x), np.floor(y)
    fx, fy = (x - left).astype(np.float32)[:, None], (y - top)[:, None]
    x0, y0 = left.astype(int) % 7, top.astype(int) % 5
    x1, y1 = (x0 + 1) % 7, (y0 + 1) % 5
    upper = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    lower = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
    assert np.array_equal(kernels.texels(image, across, down, 7.5, 4.1), upper * (1 - fy) + lower * fy)


def test_phases_of_plane_waves():
    rng = np.random.default_rng(0)
    points, directions = (rng.standard_normal((count, 3)).astype(np.float32) for count in (50, 4))
    starts = rng.random(4, dtype=np.float32)
    expected = [
        points[:, 0] * d[0] + points[:, 1] * d[1] + points[:, 2] * d[2] + s
        for d, s in zip(directions, starts, strict=True)
    ]
    assert np.array_equal(kernels.phases(points, directions, starts), np.stack(expected))


def test_a_convolved_image_has_numpys_bits_and_repeated_edges():
    rng = np.random.default_rng(0)
    image, weights = rng.random((6, 9, 3), dtype=np.float32), rng.random(5, dtype=np.float32)
    expected = image
    for axis in (0, 1):
        padded = np.pad(expected, [(2, 2) if k == axis else (0, 0) for k in range(3)], mode="edge")
        length, total = image.shape[axis], np.zeros_like(image)
        for k, weight in enumerate(weights):
            total += weight * np.take(padded, np.arange(k, k + length), axis=axis)
        expected = total
    assert np.array_equal(kernels.convolved(image, weights), expected)
    narrow = rng.random((2, 1, 1), dtype=np.float32)
    assert kernels.convolved(narrow, np.full(7, 1 / 7, np.float32)).shape == (2, 1, 1)
