"""Kernels of first hits: triangles drawn into the rays of a view.

Where the rays of a view meet a triangle follows from three linear functions of their tangents, one per edge (Olano and
Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates, 1997). Two triangles compute the function of a common
edge from the same numbers, with opposite signs: no ray passes between them. The functions hold for triangles that reach
behind the eye, too.
"""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled

NEAR = np.float32(1e-3)  # metres before the eye up to which a corner has no place in the picture
SLACK = np.float32(0.01)  # columns or rows that a place may be off by rounding
NARROW = 4  # columns up to which every column is asked


@compiled("Tuple((f4[:, :, ::1], i8[:, ::1]))(f4[:, ::1], i4[:, ::1], i8)")
def blocks_of(vertices, faces, size):  # type: ignore[no-untyped-def]
    """Boxes around every `size` faces in turn, and their vertices.

    Boxes: lowest and highest corner, [B, 2, 3] float32. Vertices: the first one and the one after the last, [B, 2]
    int64. vertices: [V, 3]. faces: [F, 3].
    """
    count = (len(faces) + size - 1) // size
    boxes = np.empty((count, 2, 3), np.float32)
    members = np.empty((count, 2), np.int64)
    for block in range(count):
        boxes[block, 0], boxes[block, 1] = np.float32(np.inf), np.float32(-np.inf)
        members[block, 0], members[block, 1] = len(vertices), 0
        for f in range(block * size, min((block + 1) * size, len(faces))):
            for corner in range(3):
                i = faces[f, corner]
                members[block, 0], members[block, 1] = min(members[block, 0], i), max(members[block, 1], i + 1)
                for axis in range(3):
                    place = vertices[i, axis]
                    boxes[block, 0, axis] = min(boxes[block, 0, axis], place)
                    boxes[block, 1, axis] = max(boxes[block, 1, axis], place)
    return boxes, members


@compiled("f8(f4[::1])")
def per_tangent(places):  # type: ignore[no-untyped-def]
    """Columns or rows per tangent.

    places: [n], their tangents, ascending and evenly spaced; any number will do for a single one.
    """
    if len(places) == 1:
        return 1.0
    return (len(places) - 1) / (np.float64(places[-1]) - np.float64(places[0]))


@compiled("f8[:, ::1](f4[:, ::1], f4[::1], f4[:, ::1], f4[::1])")
def placing_of(turn, shift, axes, eye):  # type: ignore[no-untyped-def]
    """Transform of a mesh into a view: right, down, forward, [3, 4] float64.

    turn: [3, 3], then shift: [3], of the mesh. axes: [3, 3], unit vectors to the right, up and forward. eye: [3].
    """
    placing = np.empty((3, 4))
    for row in range(3):
        sign = -1.0 if row == 1 else 1.0
        total = 0.0
        for k in range(3):
            total += np.float64(axes[row, k]) * (np.float64(shift[k]) - np.float64(eye[k]))
        placing[row, 3] = sign * total
        for column in range(3):
            total = 0.0
            for k in range(3):
                total += np.float64(axes[row, k]) * np.float64(turn[k, column])
            placing[row, column] = sign * total
    return placing


@compiled("b1[::1](f4[:, :, ::1], f8[:, ::1], f4[::1], f4[::1], f4[::1], f4)")
def in_view(boxes, placing, x, y, shifts, depth):  # type: ignore[no-untyped-def]
    """Boxes of a mesh that rays of a view may meet, [B] bool.

    boxes: [B, 2, 3], of `blocks_of`. placing: [3, 4], of `placing_of`. x, y, shifts: as in camera.Rays. depth: metres
    along the view's axis beyond which nothing counts.
    """
    aside, down = 1 / per_tangent(x), 1 / per_tangent(y)
    left, right = np.float64(x[0]) + shifts.min() - aside, np.float64(x[-1]) + shifts.max() + aside
    top, bottom = np.float64(y[0]) - down, np.float64(y[-1]) + down
    planes = np.empty((6, 4))
    for k in range(4):
        planes[0, k], planes[1, k] = placing[0, k] - left * placing[2, k], right * placing[2, k] - placing[0, k]
        planes[2, k], planes[3, k] = placing[1, k] - top * placing[2, k], bottom * placing[2, k] - placing[1, k]
        planes[4, k], planes[5, k] = placing[2, k], -placing[2, k]
    planes[5, 3] += depth
    result = np.empty(len(boxes), np.bool_)
    for block in range(len(boxes)):
        inside = True
        for plane in range(6):
            most = planes[plane, 3]
            for axis in range(3):
                slope = planes[plane, axis]
                most += max(slope * boxes[block, 0, axis], slope * boxes[block, 1, axis])
            inside = inside and most >= 0
        result[block] = inside
    return result


@compiled("f4[:, ::1](f4[:, ::1], i8[:, ::1], b1[::1], f8[:, ::1], f4[::1], f4[::1])")
def seen(vertices, members, wanted, placing, x, y):  # type: ignore[no-untyped-def]
    """Vertices as a view sees them, [V, 5] float32.

    Metres to the right, down and forward; then column and row, real numbers, which mean nothing nearer than NEAR.

    vertices: [V, 3]. members: [B, 2], of `blocks_of`; vertices of no `wanted` [B] block are left undefined. placing:
    [3, 4], of `placing_of`. x: [columns], y: [rows], evenly spaced tangents.
    """
    result = np.empty((len(vertices), 5), np.float32)
    left, top = np.float64(x[0]), np.float64(y[0])
    per_column, per_row = per_tangent(x), per_tangent(y)
    done = np.zeros(len(vertices), np.bool_)
    for block in np.flatnonzero(wanted):
        for i in range(members[block, 0], members[block, 1]):
            if done[i]:
                continue
            done[i] = True
            a, b, c = np.float64(vertices[i, 0]), np.float64(vertices[i, 1]), np.float64(vertices[i, 2])
            right = placing[0, 0] * a + placing[0, 1] * b + placing[0, 2] * c + placing[0, 3]
            down = placing[1, 0] * a + placing[1, 1] * b + placing[1, 2] * c + placing[1, 3]
            forward = placing[2, 0] * a + placing[2, 1] * b + placing[2, 2] * c + placing[2, 3]
            result[i, 0], result[i, 1], result[i, 2] = right, down, forward
            inverse = 1.0 / max(forward, np.float64(NEAR))
            result[i, 3] = (right * inverse - left) * per_column
            result[i, 4] = (down * inverse - top) * per_row
    return result


@compiled(
    "void(i8, f4[:, ::1], i4[:, ::1], i8, b1[::1], f4[::1], f4[::1], f4[::1], i2[:, ::1], i4[:, ::1], f4[:, ::1],"
    "f4[:, ::1], f4[:, ::1])"
)
def draw(number, corners, faces, size, wanted, x, y, shifts, layer, face, depth, u, v):  # type: ignore[no-untyped-def]
    """First hits of the rays of a view on one mesh.

    Written where they are nearer than what is known.

    number: of the layer. corners: [V, 5], of `seen`. faces: [F, 3] in blocks of `size`, of which those `wanted` [B] are
    drawn. x: [columns], y: [rows], shifts: [rows], as in camera.Rays. layer, face, depth, u, v: [rows, columns], as in
    raycast.Hits. Of two faces at the same depth the first one is hit.
    """
    rows, columns = len(y), len(x)
    left, per_column = np.float64(x[0]), per_tangent(x)
    asides = (shifts * per_column).astype(np.float32)
    before, after = asides.max() + SLACK, SLACK - asides.min()
    last_row, last_column = np.float32(rows - 1), np.float32(columns - 1)
    nought = np.float32(0)
    for f in range(len(faces)):
        if not wanted[f // size]:
            continue
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        z0, z1, z2 = corners[i, 2], corners[j, 2], corners[k, 2]
        if min(z0, min(z1, z2)) >= NEAR:
            p0, p1, p2 = corners[i, 4], corners[j, 4], corners[k, 4]
            first = np.ceil(max(min(p0, min(p1, p2)) - SLACK, nought))
            last = min(max(p0, max(p1, p2)) + SLACK, last_row)
            p0, p1, p2 = corners[i, 3], corners[j, 3], corners[k, 3]
            left_end, right_end = min(p0, min(p1, p2)), max(p0, max(p1, p2))
            if first > last or np.ceil(max(left_end - before, nought)) > min(right_end + after, last_column):
                continue
            top, bottom = np.int64(first), np.int64(last)
        elif max(z0, max(z1, z2)) <= 0:
            continue
        else:
            top, bottom = np.int64(0), np.int64(rows - 1)
            left_end, right_end = np.float32(-1e30), np.float32(1e30)
        x0, y0, w0 = np.float64(corners[i, 0]), np.float64(corners[i, 1]), np.float64(z0)
        x1, y1, w1 = np.float64(corners[j, 0]), np.float64(corners[j, 1]), np.float64(z1)
        x2, y2, w2 = np.float64(corners[k, 0]), np.float64(corners[k, 1]), np.float64(z2)
        # Products of two corners: the function of the edge between them is (column, row, 1) times these.
        a0, b0, c0 = y1 * w2 - w1 * y2, w1 * x2 - x1 * w2, x1 * y2 - y1 * x2
        a1, b1, c1 = y2 * w0 - w2 * y0, w2 * x0 - x2 * w0, x2 * y0 - y2 * x0
        a2, b2, c2 = y0 * w1 - w0 * y1, w0 * x1 - x0 * w1, x0 * y1 - y0 * x1
        volume = x0 * a0 + y0 * b0 + w0 * c0
        if volume == 0:
            continue  # seen along its edge
        side = np.copysign(1.0, volume)
        volume = abs(volume)
        a0, b0, c0, a1, b1, c1 = a0 * side, b0 * side, c0 * side, a1 * side, b1 * side, c1 * side
        a2, b2, c2 = a2 * side, b2 * side, c2 * side
        narrow = right_end - left_end <= NARROW
        if narrow:
            start = np.int64(np.ceil(max(left_end - before, nought)))
            stop = np.int64(min(right_end + after, last_column)) + 1
        else:
            start = stop = np.int64(0)
        for row in range(top, bottom + 1):
            down = np.float64(y[row])
            k0, k1, k2 = b0 * down + c0, b1 * down + c1, b2 * down + c2
            if not narrow:
                begin = max(left_end - asides[row] - SLACK, nought)
                end = min(right_end - asides[row] + SLACK, last_column)
                for edge in range(3):
                    if edge == 0:
                        slope, level = a0, k0
                    elif edge == 1:
                        slope, level = a1, k1
                    else:
                        slope, level = a2, k2
                    if slope != 0:
                        zero = np.float32((-level / slope - shifts[row] - left) * per_column)
                        if slope > 0:
                            begin = max(begin, zero - SLACK)
                        else:
                            end = min(end, zero + SLACK)
                if not begin <= end:
                    continue
                start, stop = np.int64(np.ceil(begin)), np.int64(end) + 1
            shift = shifts[row]
            for column in range(start, stop):
                along = np.float64(x[column] + shift)
                e0, e1, e2 = a0 * along + k0, a1 * along + k1, a2 * along + k2
                if min(e0, min(e1, e2)) >= 0:
                    total = e0 + e1 + e2
                    if volume < depth[row, column] * total:
                        inverse = 1.0 / total
                        z = np.float32(volume * inverse)
                        if z < depth[row, column]:
                            layer[row, column], face[row, column], depth[row, column] = number, f, z
                            u[row, column], v[row, column] = e1 * inverse, e2 * inverse
