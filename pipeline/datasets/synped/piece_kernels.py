"""Kernels over pieces of clothes: cut triangles, nearest points, outlines."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled("Tuple((i8[:, ::1], i8[::1], i8[::1], i8[::1]))(i4[:, ::1], b1[::1])")
def cut_faces(faces, inside):  # type: ignore[no-untyped-def]
    """Triangles of the inside of a cut piece.

    [G, 3], and for each the face it comes from [G]; start and end [E] of the edges cut.

    faces: [F, 3]. inside: [V]. Corner V + e is the cut of edge e; two triangles that share an edge cut it twice. Whole
    faces come first, then those with one corner inside, then the halves of those with two. All int64.
    """
    whole, one, two = 0, 0, 0
    for f in range(len(faces)):
        count = int(inside[faces[f, 0]]) + int(inside[faces[f, 1]]) + int(inside[faces[f, 2]])
        whole += count == 3
        one += count == 1
        two += count == 2
    kept = np.empty((whole + one + 2 * two, 3), np.int64)
    source = np.empty(len(kept), np.int64)
    start = np.empty(2 * (one + two), np.int64)
    end = np.empty(2 * (one + two), np.int64)
    at_whole, at_one, at_two = 0, 0, 0
    for f in range(len(faces)):
        count = int(inside[faces[f, 0]]) + int(inside[faces[f, 1]]) + int(inside[faces[f, 2]])
        if count == 0:
            continue
        if count == 3:
            kept[at_whole, 0], kept[at_whole, 1], kept[at_whole, 2] = faces[f, 0], faces[f, 1], faces[f, 2]
            source[at_whole] = f
            at_whole += 1
            continue
        lone = 0  # the only corner inside, or outside
        while inside[faces[f, lone]] != (count == 1):
            lone += 1
        a, b, c = faces[f, lone], faces[f, (lone + 1) % 3], faces[f, (lone + 2) % 3]
        if count == 1:
            ab, ac, row = at_one, one + at_one, whole + at_one
            at_one += 1
        else:
            ab, ac, row = 2 * one + at_two, 2 * one + two + at_two, whole + one + at_two
            at_two += 1
        start[ab], start[ac], end[ab], end[ac] = a, a, b, c
        ab += len(inside)
        ac += len(inside)
        source[row] = f
        if count == 1:
            kept[row, 0], kept[row, 1], kept[row, 2] = a, ab, ac
        else:
            kept[row, 0], kept[row, 1], kept[row, 2] = ab, b, c
            row += two
            source[row] = f
            kept[row, 0], kept[row, 1], kept[row, 2] = ab, c, ac
    return kept, source, start, end


@compiled("i8[::1](f4[:, ::1], f4[:, ::1])")
def nearest(points, others):  # type: ignore[no-untyped-def]
    """Number of the nearest of `others` for every point.

    others: [m, 3]. points: [n, 3]. int64; the first one of equals.
    """
    result = np.empty(len(points), np.int64)
    for i in range(len(points)):
        best = np.float32(np.inf)
        for j in range(len(others)):
            x, y, z = points[i, 0] - others[j, 0], points[i, 1] - others[j, 1], points[i, 2] - others[j, 2]
            distance = np.sqrt(x * x + y * y + z * z)
            if distance < best:
                best = distance
                result[i] = j
    return result


@compiled("f4[:, ::1](f4[:, ::1], f4[::1], f4, f4[:, ::1])")
def supports(points, heights, half, directions):  # type: ignore[no-untyped-def]
    """Largest reach of the points [n, 3] near each height, along each direction [D, 2]: [R, D] float32.

    half: metres that are near. A height without points takes the values of the one before; zero if it is the first.
    """
    result = np.zeros((len(heights), len(directions)), np.float32)
    known = np.zeros(len(heights), np.bool_)
    for i in range(len(points)):
        for row in range(len(heights)):
            if abs(points[i, 2] - heights[row]) < half:
                for d in range(len(directions)):
                    reach = points[i, 0] * directions[d, 0] + points[i, 1] * directions[d, 1]
                    if not known[row] or reach > result[row, d]:
                        result[row, d] = reach
                known[row] = True
    for row in range(1, len(heights)):
        for d in range(len(directions)):
            if not known[row]:
                result[row, d] = result[row - 1, d]
    return result


@compiled("i4[:, ::1](f4[:, ::1], i8)")
def strongest(weights, count):  # type: ignore[no-untyped-def]
    """Columns of the `count` largest weights of each row, falling.

    weights: [n, S]. [n, count] int32; the first one of equals.
    """
    result = np.empty((len(weights), count), np.int32)
    for i in range(len(weights)):
        known = 0
        for column in range(weights.shape[1]):
            place = known
            while place > 0 and weights[i, column] > weights[i, result[i, place - 1]]:
                place -= 1
            if place < count:
                known = min(known + 1, count)
                for later in range(known - 1, place, -1):
                    result[i, later] = result[i, later - 1]
                result[i, place] = column
    return result


@compiled("f4[:, ::1](f4[:, ::1], f4[::1], f4[:, ::1], f4[::1])")
def brought_back(points, shift, turn, middle):  # type: ignore[no-untyped-def]
    """Points in the coordinates of a frame.

    [n, 3]: less `shift`, turned by `turn` [3, 3], less `middle`.
    """
    local = np.empty((len(points), 3), np.float32)
    for i in range(len(points)):
        x, y, z = points[i, 0] - shift[0], points[i, 1] - shift[1], points[i, 2] - shift[2]
        for axis in range(3):
            local[i, axis] = (x * turn[axis, 0] + y * turn[axis, 1] + z * turn[axis, 2]) - middle[axis]
    return local
