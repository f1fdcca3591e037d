"""Kernels of the sky: its brightness, and rays towards it."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled("void(f4[:, ::1], f4[:, ::1], f4[:, ::1])")
def sky_seen(directions, colours, radiance):  # type: ignore[no-untyped-def]
    """Radiance [n, 3] along directions [n, 3] without a hit, written in place.

    colours: [3, 3] of sky, haze (at the horizon) and what is below it.
    """
    none, all_ = np.float32(0), np.float32(1)
    for i in range(len(directions)):
        height = directions[i, 2]
        share = min(max(height * np.float32(3), none), all_)
        for c in range(3):
            sky = colours[1, c] * (all_ - share) + colours[0, c] * share
            radiance[i, c] = sky if height > 0 else colours[2, c]


@compiled("UniTuple(f4[::1], 2)(i8[::1], i8, f8, f8)")
def spread_out(rays, columns, first, second):  # type: ignore[no-untyped-def]
    """Two numbers in [0, 1) per ray of a grid.

    [m] rays: neighbours differ, a mean over few is smooth.

    They are multiples of irrational numbers. first, second: where they begin.
    """
    one, other = np.empty(len(rays), np.float32), np.empty(len(rays), np.float32)
    for k in range(len(rays)):
        row, column = rays[k] // columns, rays[k] % columns
        value = row * 0.7548776662 + column * 0.5698402910 + first
        one[k] = value - np.floor(value)
        value = row * 0.8191725134 + column * 0.6710436067 + second
        other[k] = value - np.floor(value)
    return one, other


@compiled("UniTuple(f4[:, ::1], 2)(i8[::1], f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1])")
def sky_rays(chosen, position, flat, cosine, sine, height):  # type: ignore[no-untyped-def]
    """Origins and unit directions of rays towards the sky.

    [m, 3], more of them along the normal: cosine distribution.

    chosen: [m], of the points with position and normal flat [n, 3]. cosine, sine, height: [m], of directions that are
    uniform on a ball.
    """
    origins = np.empty((len(chosen), 3), np.float32)
    directions = np.empty((len(chosen), 3), np.float32)
    off = np.float32(1.001)  # or a ray could be zero
    none, all_ = np.float32(0), np.float32(1)
    for k in range(len(chosen)):
        i = chosen[k]
        ring = np.sqrt(max(all_ - height[k] * height[k], none))
        x = flat[i, 0] * off + ring * cosine[k]
        y = flat[i, 1] * off + ring * sine[k]
        z = flat[i, 2] * off + height[k]
        length = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-12))
        directions[k, 0], directions[k, 1], directions[k, 2] = x / length, y / length, z / length
        for axis in range(3):
            origins[k, axis] = position[i, axis]
    return origins, directions
