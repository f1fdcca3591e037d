"""Kernels over the pixels of a window: distances from limbs, and confidences along their axes."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled("void(f8[::1], f8[::1], f8[:, ::1], f8[:, ::1])")
def squared_distances(x, y, edges, out):  # type: ignore[no-untyped-def]
    """Squared distance of every pixel from the nearest of some edges, written to `out`, float64 [h, w].

    x: [w], y: [h], middles of the pixels. edges: [E, 4], x and y of start and end.
    """
    for e in range(len(edges)):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        right, down = x1 - x0, y1 - y0
        length = right * right + down * down
        if length == 0:
            length = 1.0
        for row in range(len(y)):
            below = y[row] - y0
            shared = below * (down / length)
            for column in range(len(x)):
                beside = x[column] - x0
                share = min(max(beside * (right / length) + shared, 0.0), 1.0)
                across, along = beside - share * right, below - share * down
                squared = across * across + along * along
                out[row, column] = squared if e == 0 else min(out[row, column], squared)


@compiled("void(f8[::1], f8[::1], f8[:, ::1], f8[:, ::1])")
def clear_inside(x, y, edges, out):  # type: ignore[no-untyped-def]
    """0 inside a polygon: where a ray to the right crosses its edges an odd number of times.

    x, y, edges, out: as in `squared_distances`.
    """
    odd = np.zeros(len(x), np.bool_)
    for row in range(len(y)):
        odd[:] = False
        for e in range(len(edges)):
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            if (y0 > y[row]) != (y1 > y[row]):
                crossing = x0 + (y[row] - y0) * (x1 - x0) / (y1 - y0)
                for column in range(len(x)):
                    odd[column] ^= x[column] < crossing
        for column in range(len(x)):
            if odd[column]:
                out[row, column] = 0.0


@compiled("void(f8[:, ::1], f8, f8)")
def in_half_widths(squared, half_width, behind):  # type: ignore[no-untyped-def]
    """Squared distances in pixels [h, w] become distances in half widths, and `behind` more."""
    for row in range(squared.shape[0]):
        for column in range(squared.shape[1]):
            squared[row, column] = np.sqrt(squared[row, column]) / half_width + behind


@compiled("void(f8[:, ::1], i8, f8[:, ::1], i8[:, ::1])")
def take_nearer(distances, number, least, nearest):  # type: ignore[no-untyped-def]
    """Least distances [h, w] and their numbers, with those of one more limb where they are less."""
    for row in range(least.shape[0]):
        for column in range(least.shape[1]):
            nearer = distances[row, column] < least[row, column]
            least[row, column] = distances[row, column] if nearer else least[row, column]
            nearest[row, column] = number if nearer else nearest[row, column]


@compiled("f8[:, ::1](f8[::1], f8[::1], i8[:, ::1], f8[:, :, ::1])")
def axis_confidences(x, y, numbers, axes):  # type: ignore[no-untyped-def]
    """Confidence of the place that is nearest to each pixel on the axis of its limb, float64 [h, w].

    numbers: [h, w], the limb of each pixel. axes: [limbs, 2, 3], x, y and confidence of both ends.
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
