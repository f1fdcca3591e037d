"""Kernels over textures and images: looked-up tiles, waves, blur."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled("f4[:, ::1](f4[:, :, ::1], f8[::1], f4[::1], f8, f4)")
def texels(image, across, down, columns, rows):  # type: ignore[no-untyped-def]
    """Bilinear values [n, C] of an image [H, W, C] that repeats, at positions [n] in metres.

    columns, rows: of the image, per metre.
    """
    height, width, channels = image.shape
    result = np.empty((len(across), channels), np.float32)
    one = np.float32(1)
    for i in range(len(across)):
        x, y = across[i] * columns, down[i] * rows
        left, top = np.floor(x), np.floor(y)
        fx, fy = np.float32(x - left), np.float32(y - top)
        x0, y0 = np.int64(left) % width, np.int64(top) % height
        x1, y1 = (x0 + 1) % width, (y0 + 1) % height
        for c in range(channels):
            upper = image[y0, x0, c] * (one - fx) + image[y0, x1, c] * fx
            lower = image[y1, x0, c] * (one - fx) + image[y1, x1, c] * fx
            result[i, c] = upper * (one - fy) + lower * fy
    return result


@compiled("f4[:, ::1](f4[:, ::1], f4[:, ::1], f4[::1])")
def phases(points, directions, starts):  # type: ignore[no-untyped-def]
    """Angles of plane waves at points [n, 3]: [waves, n] float32.

    directions: [waves, 3], radians per metre. starts: [waves], angles at the origin. Written out, not a matrix product:
    that may round differently with the number of threads it is given.
    """
    result = np.empty((len(directions), len(points)), np.float32)
    for k in range(len(directions)):
        x, y, z, start = directions[k, 0], directions[k, 1], directions[k, 2], starts[k]
        for i in range(len(points)):
            result[k, i] = points[i, 0] * x + points[i, 1] * y + points[i, 2] * z + start
    return result


@compiled("f4[:, :, ::1](f4[:, :, ::1], f4[::1])")
def convolved(image, weights):  # type: ignore[no-untyped-def]
    """Image [h, w, c] convolved with odd weights [2 reach + 1], down and then across, edges repeated."""
    height, width, channels = image.shape
    reach = len(weights) // 2
    line = width * channels
    flat = image.reshape(height, line)
    down = np.zeros((height, line), np.float32)
    for row in range(height):
        for k in range(len(weights)):
            source = min(max(row + k - reach, 0), height - 1)
            weight = weights[k]
            for j in range(line):
                down[row, j] += weight * flat[source, j]
    result = np.zeros((height, line), np.float32)
    padded = np.empty(line + 2 * reach * channels, np.float32)
    for row in range(height):
        for j in range(line):
            padded[reach * channels + j] = down[row, j]
        for j in range(reach * channels):
            padded[j] = down[row, j % channels]
            padded[reach * channels + line + j] = down[row, line - channels + j % channels]
        for k in range(len(weights)):
            weight = weights[k]
            for j in range(line):
                result[row, j] += weight * padded[j + k * channels]
    return result.reshape(height, width, channels)
