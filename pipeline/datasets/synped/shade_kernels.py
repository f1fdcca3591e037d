"""Kernels of shading: surface points of hits, samples of light, radiance."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled


@compiled(
    "UniTuple(f4[:, ::1], 3)"
    "(i8[::1], i4[::1], f4[::1], f4[::1], i4[:, ::1], b1[::1], f4[:, ::1], f4[:, ::1], f4[:, ::1])"
)
def interpolated(rays, face, u, v, faces, smooth, vertex_normals, face_normals, coords):  # type: ignore[no-untyped-def]
    """Normals, flat normals and texture coordinates at hits.

    [m, 3] float32 each, for the rays [m].

    face, u, v: [n] by ray, as in raycast.Hits. faces, smooth, face_normals: [F, ...] of the mesh. vertex_normals,
    coords: [V, 3]. A face that is not smooth has its flat normal everywhere.
    """
    count = len(rays)
    normal = np.empty((count, 3), np.float32)
    flat = np.empty((count, 3), np.float32)
    place = np.empty((count, 3), np.float32)
    one = np.float32(1)
    for k in range(count):
        i = rays[k]
        f = face[i]
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        second, third = u[i], v[i]
        first = one - second - third
        for axis in range(3):
            flat[k, axis] = face_normals[f, axis]
            place[k, axis] = first * coords[a, axis] + second * coords[b, axis] + third * coords[c, axis]
            if smooth[f]:
                x, y, z = vertex_normals[a, axis], vertex_normals[b, axis], vertex_normals[c, axis]
            else:
                x = y = z = face_normals[f, axis]
            normal[k, axis] = first * x + second * y + third * z
    return normal, flat, place


@compiled("void(f4[:, ::1], f4[:, ::1], i8[::1])")
def face_viewer(normals, directions, rays):  # type: ignore[no-untyped-def]
    """Normals turned towards where the rays come from.

    In place. normals: [m, 3]. rays: [m]. directions: [n, 3] by ray.
    """
    for k in range(len(rays)):
        i = rays[k]
        x, y, z = normals[k, 0] * directions[i, 0], normals[k, 1] * directions[i, 1], normals[k, 2] * directions[i, 2]
        if x + y + z > 0:
            normals[k, 0], normals[k, 1], normals[k, 2] = -normals[k, 0], -normals[k, 1], -normals[k, 2]


@compiled("Tuple((i8[::1], i8[::1]))(i2[::1], i4[::1], i8)")
def sorted_by_surface(surface, face, count):  # type: ignore[no-untyped-def]
    """Order in which hits of one surface stand together.

    [m], and where each surface begins [count + 1], int64.

    surface: [F] of the mesh, below `count`. face: [m] of the hits.
    """
    starts = np.zeros(count + 1, np.int64)
    for k in range(len(face)):
        starts[surface[face[k]] + 1] += 1
    for s in range(count):
        starts[s + 1] += starts[s]
    following = starts.copy()
    order = np.empty(len(face), np.int64)
    for k in range(len(face)):
        s = surface[face[k]]
        order[following[s]] = k
        following[s] += 1
    return order, starts


@compiled("void(f4[:, ::1], f4[:, ::1], f4, f4, f4[:, :, ::1])")
def tilt(normal, place, amount, step, table):  # type: ignore[no-untyped-def]
    """Normals tilted, in place, by smooth noise at their places.

    normal, place: [m, 3]. table: [side, side, 3], noise that repeats; its side is a power of two. step: cells of the
    table per metre.
    """
    last = len(table) - 1
    one = np.float32(1)
    for i in range(len(place)):
        x = (place[i, 0] + np.float32(0.73) * place[i, 1]) * step
        y = (place[i, 2] + np.float32(0.61) * place[i, 1]) * step
        column, row = np.floor(x), np.floor(y)
        a, b = x - column, y - row
        c0, r0 = np.int32(column) & last, np.int32(row) & last
        c1, r1 = (c0 + 1) & last, (r0 + 1) & last
        for axis in range(3):
            top = table[r0, c0, axis] * (one - a) + table[r0, c1, axis] * a
            bottom = table[r1, c0, axis] * (one - a) + table[r1, c1, axis] * a
            normal[i, axis] += amount * (top * (one - b) + bottom * b)


@compiled("void(f4[:, ::1])")
def normalise(vectors):  # type: ignore[no-untyped-def]
    """Vectors [n, 3] scaled to length 1 in place; zero vectors stay zero."""
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        length = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-12))
        vectors[i, 0], vectors[i, 1], vectors[i, 2] = x / length, y / length, z / length


@compiled("f4[:, ::1](f4[::1], f4[::1], f4[:, ::1], f4[:, ::1], i8[::1], f4)")
def off_surface(origin, distance, directions, flat, rays, offset):  # type: ignore[no-untyped-def]
    """Points at hits, lifted along their flat normals.

    [m, 3], for the rays [m]. offset: metres. flat normals: [m, 3].

    origin: [3]. distance: [n], directions: [n, 3] by ray.
    """
    points = np.empty((len(rays), 3), np.float32)
    for k in range(len(rays)):
        i = rays[k]
        for axis in range(3):
            points[k, axis] = (origin[axis] + distance[i] * directions[i, axis]) + offset * flat[k, axis]
    return points


@compiled("f4[::1](b1[::1], i8[::1], i8[::1], i2[::1], i8, i8)")
def neighbours_mean(dark, asked, found, layer, columns, reach):  # type: ignore[no-untyped-def]
    """Share of light at every hit, from hits near by.

    [m] float32: mean over the hits of its layer that were asked.

    dark: [q] bool, the answers at the rays asked [q]. found: [m] rays with a hit. layer: [n] int16 of every ray of the
    grid, -1 for none. reach: cells to each side of a square window.
    """
    total = len(layer)
    rows = total // columns
    state = np.full(total, -1, np.int8)  # of rays asked: 1 lit, 0 dark
    for k in range(len(asked)):
        state[asked[k]] = 0 if dark[k] else 1
    layers = 0
    for k in range(len(found)):
        layers = max(layers, layer[found[k]] + 1)
    known = np.zeros(
        (layers, columns + 1), np.int32
    )  # of the window's rows: how many in each column, then sums of them
    light = np.zeros((layers, columns + 1), np.int32)
    known_sums = np.zeros((layers, columns + 1), np.int32)
    light_sums = np.zeros((layers, columns + 1), np.int32)
    shares = np.zeros(total, np.float32)
    for row in range(-reach, rows):
        for step in range(2):
            changed = row + reach if step == 0 else row - reach - 1
            if 0 <= changed < rows:
                sign = 1 - 2 * step
                for column in range(columns):
                    i = changed * columns + column
                    if state[i] >= 0:
                        known[layer[i], column] += sign
                        light[layer[i], column] += sign * state[i]
        if row < 0:
            continue
        for n in range(layers):
            for column in range(columns):
                known_sums[n, column + 1] = known_sums[n, column] + known[n, column]
                light_sums[n, column + 1] = light_sums[n, column] + light[n, column]
        for column in range(columns):
            i = row * columns + column
            n = layer[i]
            if n >= 0:
                left, right = max(column - reach, 0), min(column + reach + 1, columns)
                weight = known_sums[n, right] - known_sums[n, left]
                lit = light_sums[n, right] - light_sums[n, left]
                shares[i] = np.float32(lit) / np.float32(max(weight, 1))
    result = np.empty(len(found), np.float32)
    for k in range(len(found)):
        result[k] = shares[found[k]]
    return result


@compiled(
    "void(i8[::1], f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], f4[::1], f4[::1], f4[::1], f4[:, ::1], f4[:, ::1],"
    "f4[:, ::1], f4[::1])"
)
def lighten(rays, albedo, normals, side, sky_free, facing, fade, sun_free, mirror, colours, radiance, irradiance):  # type: ignore[no-untyped-def]
    """Radiance [n, 3] and mean irradiance [n] of the rays [m], written in place.

    albedo, normals, mirror: [m, 3]. side: brightness of the sky on the normal's side. sky_free, sun_free: shares of
    light that arrive. facing: cosine towards the sun. fade: share that haze lets through. colours: [4, 3] of sky,
    ground, sun and haze.
    """
    half, one = np.float32(0.5), np.float32(1)
    for k in range(len(rays)):
        i = rays[k]
        up = half + half * normals[k, 2]
        open_sky = np.float32(0.22) + np.float32(0.78) * sky_free[k]
        sun = max(facing[k], np.float32(0)) * sun_free[k]
        total = np.float32(0)
        for c in range(3):
            ambient = (colours[0, c] * up + colours[1, c] * (one - up)) * side[k]
            arriving = ambient * open_sky + colours[2, c] * sun
            total += arriving
            colour = albedo[k, c] * arriving + mirror[k, c]
            radiance[i, c] = colour * fade[k] + colours[3, c] * (one - fade[k])
        irradiance[i] = total / np.float32(3)


@compiled("f4[:, ::1](f4[::1], f4[::1], f4[::1], f4[:, ::1])")
def view_rays(x, y, shifts, axes):  # type: ignore[no-untyped-def]
    """Unit directions of the rays of a view.

    [len(y) * len(x), 3], through the tangents x (columns) and y (rows). shifts: added to x in each row. axes: [3, 3],
    unit vectors to the right, up and forward.
    """
    rays = np.empty((len(y) * len(x), 3), np.float32)
    for row in range(len(y)):
        for column in range(len(x)):
            i = row * len(x) + column
            along = x[column] + shifts[row]
            for axis in range(3):
                rays[i, axis] = (axes[2, axis] + along * axes[0, axis]) - y[row] * axes[1, axis]
    normalise(rays)
    return rays


@compiled("void(i8[::1], f4[:, ::1], f4[:, ::1], f4[:, ::1], f4[:, ::1], f4[:, ::1], f4[:, ::1])")
def scatter(rows, normal, flat, albedo, normals, flats, albedos):  # type: ignore[no-untyped-def]
    """Values [m, 3] written to their `rows` [m] of arrays [n, 3]."""
    for k in range(len(rows)):
        for axis in range(3):
            normals[rows[k], axis] = normal[k, axis]
            flats[rows[k], axis] = flat[k, axis]
            albedos[rows[k], axis] = albedo[k, axis]
