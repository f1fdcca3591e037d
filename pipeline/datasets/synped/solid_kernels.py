"""Kernel of bars along a path."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled("void(f8, f8, f8, f8, f8, f8, f8[::1])")
def cross(a0, a1, a2, b0, b1, b2, product):  # type: ignore[no-untyped-def]
    """Cross product of two vectors, written into `product` [3]."""
    product[0], product[1], product[2] = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0


@compiled("f4[:, ::1](f8[:, ::1], f8, f8[::1], f8[::1])")
def rings(path, radius, cosines, sines):  # type: ignore[no-untyped-def]
    """Vertices [n * segments, 3] float32 of circles around the points of a path [n, 3], n > 1.

    cosines, sines: [segments], of the angles on a circle.
    """
    count, segments = len(path), len(cosines)
    vertices = np.empty((count * segments, 3), np.float32)
    along, side, up = np.empty(3), np.empty(3), np.empty(3)
    for i in range(count):
        for axis in range(3):
            if i == 0:
                along[axis] = path[1, axis] - path[0, axis]
            elif i == count - 1:
                along[axis] = path[i, axis] - path[i - 1, axis]
            else:
                along[axis] = (path[i + 1, axis] - path[i - 1, axis]) / 2.0
        length = np.sqrt(along[0] * along[0] + along[1] * along[1] + along[2] * along[2]) + 1e-9
        for axis in range(3):
            along[axis] /= length
        if abs(along[2]) < 0.9:
            cross(along[0], along[1], along[2], 0.0, 0.0, 1.0, side)
        else:
            cross(along[0], along[1], along[2], 1.0, 0.0, 0.0, side)
        length = np.sqrt(side[0] * side[0] + side[1] * side[1] + side[2] * side[2])
        for axis in range(3):
            side[axis] /= length
        cross(side[0], side[1], side[2], along[0], along[1], along[2], up)
        for k in range(segments):
            for axis in range(3):
                ring = side[axis] * cosines[k] + up[axis] * sines[k]
                vertices[i * segments + k, axis] = path[i, axis] + radius * ring
    return vertices
