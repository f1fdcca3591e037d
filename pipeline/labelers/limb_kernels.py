"""Kernels over the pixels of a window: distances from limbs, confidences."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled

# A limb is given by its edges [E, 4], x and y of start and end: one of a capsule, all around of a polygon. x: [w],
# y: [h], middles of pixels. Everything is of one type, float32 or float64.
FLOATS = ("f4", "f8")


@compiled(*(f"void({f}[::1], {f}, {f}[:, ::1], {f}, {f}, {f}[::1], b1[::1])" for f in FLOATS))
def _row_distances(x, y, edges, half_width, behind, out, odd):  # type: ignore[no-untyped-def]
    """Distances of one row of pixels from a limb.

    They are in half widths, and `behind` more. Inside a polygon the distance is `behind`: where a ray to the right
    crosses its edges an odd number of times. odd: [w], room.
    """
    none, whole = half_width - half_width, half_width / half_width
    out[:] = np.inf
    for e in range(len(edges)):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        right, down, below = x1 - x0, y1 - y0, y - y0
        length = right * right + down * down
        if length == none:
            length = whole
        slope, shared = right / length, below * (down / length)
        for column in range(len(x)):
            beside = x[column] - x0
            share = beside * slope + shared
            share = none if share < none else share
            share = whole if share > whole else share
            across, along = beside - share * right, below - share * down
            squared = across * across + along * along
            out[column] = squared if squared < out[column] else out[column]
    if len(edges) > 1:
        odd[:] = False
        for e in range(len(edges)):
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            if (y0 > y) != (y1 > y):
                crossing = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                for column in range(len(x)):
                    odd[column] ^= x[column] < crossing
        for column in range(len(x)):
            out[column] = none if odd[column] else out[column]
    for column in range(len(x)):
        out[column] = np.sqrt(out[column]) / half_width + behind


@compiled("void(f8[::1], f8[::1], f8[:, ::1], i8[::1], f8[::1], f8[::1], f8[:, :, ::1])")
def limb_distances(x, y, edges, starts, half_widths, behind, out):  # type: ignore[no-untyped-def]
    """Distance of every pixel from each limb in half widths.

    Written to `out`, [limbs, h, w]. edges: of all limbs, those of limb i are starts[i] to starts[i + 1]. behind:
    [limbs], added to the distances.
    """
    odd = np.empty(len(x), np.bool_)
    for limb in range(len(half_widths)):
        own = edges[starts[limb] : starts[limb + 1]]
        for row in range(len(y)):
            _row_distances(x, y[row], own, half_widths[limb], behind[limb], out[limb, row], odd)


@compiled(
    *(
        f"void({f}[::1], {f}[::1], {f}[:, ::1], i8[::1], {f}[::1], {f}[::1], {f}[:, :, ::1], "
        f"u1[::1], u1[:, ::1], {f}[:, ::1], {f}[:, ::1])"
        for f in FLOATS
    )
)
def nearest_limbs(x, y, edges, starts, half_widths, behind, axes, parts, nearest, least, confidence):  # type: ignore[no-untyped-def]
    """Nearest limb of every pixel.

    Its part, its distance, and the confidence of the nearest place on its axis. The first arguments are those of
    `limb_distances`. axes: [limbs, 2, 3], x, y and confidence of both ends. parts: [limbs]. The last three, [h, w]
    each, are written to. Of limbs at the same distance the first counts.
    """
    distances, odd = np.empty(len(x), x.dtype), np.empty(len(x), np.bool_)
    none, whole = half_widths[0] - half_widths[0], half_widths[0] / half_widths[0]
    for row in range(len(y)):
        found, closest, sure = nearest[row], least[row], confidence[row]
        found[:], closest[:], sure[:] = parts[0], np.inf, axes[0, 0, 2]
        for limb in range(len(half_widths)):
            own = edges[starts[limb] : starts[limb + 1]]
            _row_distances(x, y[row], own, half_widths[limb], behind[limb], distances, odd)
            axis, part = axes[limb], parts[limb]
            right, down, gain = axis[1, 0] - axis[0, 0], axis[1, 1] - axis[0, 1], axis[1, 2] - axis[0, 2]
            start, begin = axis[0, 0], axis[0, 2]
            length = right * right + down * down
            if length == none:
                length = whole
            slope, shared = right / length, (y[row] - axis[0, 1]) * (down / length)
            for column in range(len(x)):
                share = (x[column] - start) * slope + shared
                share = none if share < none else share
                share = whole if share > whole else share
                nearer = distances[column] < closest[column]
                found[column] = part if nearer else found[column]
                closest[column] = distances[column] if nearer else closest[column]
                value = begin + gain * share
                sure[column] = value if nearer else sure[column]


@compiled("f8[:, ::1](f8[::1], f8[::1], i8[:, ::1], f8[:, :, ::1])")
def axis_confidences(x, y, numbers, axes):  # type: ignore[no-untyped-def]
    """Confidences of all pixels, float64 [h, w].

    That of a pixel is the confidence of the nearest place on the axis of its limb. numbers: [h, w], the limb of each
    pixel. axes: [limbs, 2, 3], x, y and confidence of both ends.
    """
    found = np.empty(numbers.shape)
    for row in range(len(y)):
        for column in range(len(x)):
            axis = axes[numbers[row, column]]
            right, down = axis[1, 0] - axis[0, 0], axis[1, 1] - axis[0, 1]
            length = right * right + down * down
            if length == 0:
                length = 1.0
            share = (x[column] - axis[0, 0]) * (right / length) + (y[row] - axis[0, 1]) * (down / length)
            share = min(max(share, 0.0), 1.0)
            found[row, column] = axis[0, 2] + (axis[1, 2] - axis[0, 2]) * share
    return found
