"""Kernels over the triangles and vertices of meshes: normals, merged vertices, skinning."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled("f4[:, ::1](f4[:, ::1], i4[:, ::1])")
def face_crosses(vertices, faces):  # type: ignore[no-untyped-def]
    """Normals of faces [F, 3], float32, as long as twice their areas. vertices: [V, 3]. faces: [F, 3]."""
    crosses = np.empty((len(faces), 3), np.float32)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        a0, b0 = vertices[j, 0] - vertices[i, 0], vertices[k, 0] - vertices[i, 0]
        a1, b1 = vertices[j, 1] - vertices[i, 1], vertices[k, 1] - vertices[i, 1]
        a2, b2 = vertices[j, 2] - vertices[i, 2], vertices[k, 2] - vertices[i, 2]
        crosses[f, 0], crosses[f, 1], crosses[f, 2] = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
    return crosses


@compiled("f8[:, ::1](f4[:, ::1], i4[:, ::1])")
def normal_sums(vertices, faces):  # type: ignore[no-untyped-def]
    """Sums of the normals of the faces at each vertex.

    They are weighted by area: [V, 3] float64.
    """
    crosses = face_crosses(vertices, faces)
    sums = np.zeros((len(vertices), 3))
    for f in range(len(faces)):
        for corner in range(3):
            for axis in range(3):
                sums[faces[f, corner], axis] += crosses[f, axis]
    return sums


@compiled("UniTuple(f4[:, ::1], 2)(f4[:, ::1], i4[:, ::1])")
def mesh_normals(vertices, faces):  # type: ignore[no-untyped-def]
    """Unit normals of faces [F, 3] and of vertices [V, 3], float32.

    A vertex has the mean of its faces, weighted by area; zero without a face.
    """
    flat = face_crosses(vertices, faces)
    sums = normal_sums(vertices, faces)
    for f in range(len(faces)):
        x, y, z = flat[f, 0], flat[f, 1], flat[f, 2]
        length = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-12))
        flat[f, 0], flat[f, 1], flat[f, 2] = x / length, y / length, z / length
    rounded = np.empty((len(vertices), 3), np.float32)
    for i in range(len(vertices)):
        x, y, z = sums[i, 0], sums[i, 1], sums[i, 2]
        length = max(np.sqrt(x * x + z * z + y * y), 1e-12)  # the order in which numpy adds three float64
        rounded[i, 0], rounded[i, 1], rounded[i, 2] = x / length, y / length, z / length
    return flat, rounded


@compiled("Tuple((i4[::1], i8[::1]))(i8[::1])")
def grouped(keys):  # type: ignore[no-untyped-def]
    """Groups of equal keys.

    keys: [n]. Returns the number of each one's group [n] int32, and the first member of each group [g] int64.

    Groups are numbered in the order of their first members.
    """
    count = len(keys)
    size = 16
    while size < 2 * count:
        size *= 2
    table = np.full(size, -1, np.int32)
    group = np.empty(count, np.int32)
    first = np.empty(count, np.int64)
    known = 0
    for i in range(count):
        mixed = np.uint64(keys[i]) * np.uint64(11400714819323198485)
        slot = np.int64(mixed >> np.uint64(32)) & (size - 1)
        while table[slot] >= 0 and keys[first[table[slot]]] != keys[i]:
            slot = (slot + 1) & (size - 1)
        if table[slot] < 0:
            table[slot] = known
            first[known] = i
            known += 1
        group[i] = table[slot]
    return group, first[:known].copy()


@compiled("f4[:, ::1](f4[:, ::1], i4[:, ::1], f4[:, ::1], f4[:, :, ::1])")
def blend(vertices, segments, weights, transforms):  # type: ignore[no-untyped-def]
    """Vertices [n, 3] moved by the weighted transforms of their segments, float32.

    segments, weights: [n, bones]. transforms: [S, 3, 4].
    """
    moved = np.empty((len(vertices), 3), np.float32)
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        for row in range(3):
            total = np.float32(0)
            for bone in range(segments.shape[1]):
                matrix = transforms[segments[i, bone]]
                place = matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] * z + matrix[row, 3]
                total += weights[i, bone] * place
            moved[i, row] = total
    return moved


@compiled("f4[:, :, ::1](f8[:, :, ::1], f8[:, ::1], i8[::1])")
def chained(rotations, pivots, parents):  # type: ignore[no-untyped-def]
    """Transforms [S, 3, 4] float32 of segments, each hung on its parent.

    rotations: [S, 3, 3]. pivots: [S, 3], which turn with the parent. parents: [S], before their children; -1 for none.
    """
    result = np.empty((len(rotations), 3, 4))
    for s in range(len(rotations)):
        x, y, z = pivots[s, 0], pivots[s, 1], pivots[s, 2]
        for row in range(3):
            place = pivots[s, row]
            if parents[s] >= 0:
                above = result[parents[s], row]
                place = above[0] * x + above[1] * y + above[2] * z + above[3]
            turn = rotations[s, row]
            for column in range(3):
                result[s, row, column] = turn[column]
            result[s, row, 3] = place - (turn[0] * x + turn[1] * y + turn[2] * z)
    return result.astype(np.float32)


@compiled("f8[::1](u1[::1])")
def numbers(text):  # type: ignore[no-untyped-def]
    """Decimal numbers of an ASCII text, float64, correctly rounded.

    The text has digits, points, minus signs and white space, and at most 15 digits to a number. Raises ValueError for
    other characters.
    """
    found = np.empty(len(text) // 2 + 1)
    count = 0
    digits, places, sign, point = 0, 0, 1.0, False
    inside = False
    power = np.ones(16)
    for k in range(1, 16):
        power[k] = power[k - 1] * 10.0
    for i in range(len(text) + 1):
        character = text[i] if i < len(text) else 32
        if 48 <= character <= 57:
            digits = digits * 10 + (character - 48)
            places += point
            inside = True
        elif character == 46:
            point = True
        elif character == 45:
            sign = -1.0
        elif character == 32 or 9 <= character <= 13:
            if inside:
                found[count] = sign * digits / power[places]
                count += 1
            digits, places, sign, point, inside = 0, 0, 1.0, False, False
        else:
            raise ValueError("not a plain decimal number")
    return found[:count].copy()


@compiled("void(f4[:, ::1], i8[::1], f4[:, ::1], f4)")
def displace(vertices, rows, displacements, weight):  # type: ignore[no-untyped-def]
    """Vertices [V, 3] moved in place: those of `rows` [n] by weight times displacements [n, 3]."""
    for k in range(len(rows)):
        for axis in range(3):
            vertices[rows[k], axis] += weight * displacements[k, axis]


@compiled("UniTuple(f4[::1], 2)(f4[:, ::1])")
def extent(points):  # type: ignore[no-untyped-def]
    """Lowest and highest coordinates [d] of points [n, d], n > 0."""
    low, high = points[0].copy(), points[0].copy()
    for i in range(len(points)):
        for axis in range(len(low)):
            low[axis], high[axis] = min(low[axis], points[i, axis]), max(high[axis], points[i, axis])
    return low, high


@compiled("i8[::1](f4[:, ::1], i4[:, ::1], i2[::1], f4)")
def cube_keys(vertices, faces, surface, cell):  # type: ignore[no-untyped-def]
    """Keys of vertices, equal within one cube and one surface.

    [V] int64. The cubes have sides of `cell` metres.

    vertices: [V, 3]. faces: [F, 3] and their surface [F]. The last face that has a vertex gives its surface.
    """
    keys = np.zeros(len(vertices), np.int64)
    for f in range(len(faces)):
        for corner in range(3):
            keys[faces[f, corner]] = surface[f]
    low = vertices[0].copy()
    high = vertices[0].copy()
    for i in range(len(vertices)):
        for axis in range(3):
            low[axis], high[axis] = min(low[axis], vertices[i, axis]), max(high[axis], vertices[i, axis])
    for axis in range(3):
        count = np.int64(np.floor((high[axis] - low[axis]) / cell)) + 1
        for i in range(len(vertices)):
            keys[i] = keys[i] * count + np.int64(np.floor((vertices[i, axis] - low[axis]) / cell))
    return keys


@compiled("Tuple((i4[:, ::1], i8[::1]))(i4[:, ::1], i4[::1])")
def merged_faces(faces, group):  # type: ignore[no-untyped-def]
    """Faces of groups that have three corners left.

    [G, 3], and which of the faces [F, 3] they were [G]. group: [V].
    """
    kept = np.empty((len(faces), 3), np.int32)
    source = np.empty(len(faces), np.int64)
    count = 0
    for f in range(len(faces)):
        a, b, c = group[faces[f, 0]], group[faces[f, 1]], group[faces[f, 2]]
        if a != b and b != c and a != c:
            kept[count, 0], kept[count, 1], kept[count, 2] = a, b, c
            source[count] = f
            count += 1
    return kept[:count].copy(), source[:count].copy()


@compiled("f4[:, ::1](f4[:, ::1], i4[::1], i8)")
def group_means(vertices, group, count):  # type: ignore[no-untyped-def]
    """Means [count, 3] of the vertices [V, 3] of each group, summed in float64. group: [V]."""
    sums = np.zeros((count, 3))
    members = np.zeros(count, np.int64)
    for i in range(len(vertices)):
        members[group[i]] += 1
        for axis in range(3):
            sums[group[i], axis] += vertices[i, axis]
    means = np.empty((count, 3), np.float32)
    for g in range(count):
        for axis in range(3):
            means[g, axis] = sums[g, axis] / members[g]
    return means
