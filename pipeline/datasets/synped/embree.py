"""Embree through its C interface: first hits and shadows of rays.

The package embreex brings the library. Its own classes copy a mesh number by number in Python, which takes longer than
all rays of a picture.
"""

from __future__ import annotations

import ctypes
import weakref
from functools import cache
from importlib import metadata
from typing import Any

import embreex.rtcore  # noqa: F401  # loads what the library itself needs
import numpy as np
from llvmlite import binding
from numba import types

from pipeline.errors import UserError
from sorn.compiled import compiled

# Constants of embree4/rtcore.h.
_TRIANGLES, _INDICES, _VERTICES, _FLOAT3, _UINT3, _ROBUST = 0, 0, 1, 0x9003, 0x5003, 4
WIDE = 16  # rays of a packet


def _library_path() -> str:
    """File of the library that embreex installed."""
    try:
        files = [file for file in metadata.files("embreex") or () if "embree4" in file.name]
    except metadata.PackageNotFoundError:
        files = []
    if not files:
        raise UserError(
            "the Python package 'embreex' has no library embree4; SynPed casts its rays with it",
            'Install it again: pip install --force-reinstall "embreex>=4.4"',
        )
    return str(files[0].locate())


def _load() -> ctypes.CDLL:
    path = _library_path()
    library = ctypes.CDLL(path)
    binding.load_library_permanently(path)  # where compiled kernels find rtcIntersect16 and rtcOccluded16
    pointer, number, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
    for name, result, arguments in (
        ("rtcNewDevice", pointer, (ctypes.c_char_p,)),
        ("rtcGetDeviceError", ctypes.c_int, (pointer,)),
        ("rtcNewScene", pointer, (pointer,)),
        ("rtcSetSceneFlags", None, (pointer, ctypes.c_int)),
        ("rtcNewGeometry", pointer, (pointer, ctypes.c_int)),
        ("rtcSetNewGeometryBuffer", pointer, (pointer, ctypes.c_int, number, ctypes.c_int, size, size)),
        ("rtcCommitGeometry", None, (pointer,)),
        ("rtcAttachGeometry", number, (pointer, pointer)),
        ("rtcReleaseGeometry", None, (pointer,)),
        ("rtcCommitScene", None, (pointer,)),
        ("rtcReleaseScene", None, (pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


@cache
def _device() -> int:
    """The device of this process, of one thread: several processes render side by side."""
    return int(_library.rtcNewDevice(b"threads=1"))


class Tree:
    """Search tree over triangles.

    vertices: [V, 3] float32. faces: [F, 3] int32. Both are copied. Raises MemoryError.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.address = int(_library.rtcNewScene(_device()))
        weakref.finalize(self, _library.rtcReleaseScene, self.address)
        _library.rtcSetSceneFlags(self.address, _ROBUST)  # as embreex does: a ray finds no gap between two triangles
        geometry = _library.rtcNewGeometry(_device(), _TRIANGLES)
        padded = np.zeros((len(vertices), 4), np.float32)  # Embree reads four floats of each vertex
        padded[:, :3] = vertices
        for kind, form, rows in ((_VERTICES, _FLOAT3, padded), (_INDICES, _UINT3, np.ascontiguousarray(faces))):
            buffer = _library.rtcSetNewGeometryBuffer(geometry, kind, 0, form, rows.strides[0], len(rows))
            if not buffer:
                raise MemoryError(f"Embree cannot keep a mesh of {len(faces)} triangles")
            ctypes.memmove(buffer, rows.ctypes.data, rows.nbytes)
        _library.rtcCommitGeometry(geometry)
        _library.rtcAttachGeometry(self.address, geometry)
        _library.rtcReleaseGeometry(geometry)
        # Not with a lower build quality, a quarter of the time: where a ray meets two triangles on a common edge, the
        # tree decides which one is hit, and one ray in a million would change a picture.
        _library.rtcCommitScene(self.address)


_intersect: Any = types.ExternalFunction("rtcIntersect16", types.void(types.intp, types.intp, types.intp, types.intp))
_occluded: Any = types.ExternalFunction("rtcOccluded16", types.void(types.intp, types.intp, types.intp, types.intp))


@compiled("void(intp, int16, f4[:, ::1], f4[::1], f4[:, ::1], i8[::1], i2[::1], i4[::1], f4[::1], f4[::1], f4[::1])")
def first_hits(  # type: ignore[no-untyped-def]
    tree, number, bounds, origin, directions, rays, layer, face, distance, u, v
):
    """First hits of rays from one origin.

    Written where they are nearer than what is known.

    tree: Tree.address. number: of the layer. bounds: [2, 3], lowest and highest corner of a box around all triangles.
    origin: [3]. directions: [m, 3] of the rays [m]. layer, face, distance, u, v: [n], by ray, as in raycast.Hits. The
    rays go in packets of 16, which Embree follows together.
    """
    memory = np.empty(24 * WIDE, np.float32)
    first = ((-memory.ctypes.data) % 64) // 4  # Embree reads whole vectors: from an aligned address
    packet = memory[first : first + 22 * WIDE].reshape(22, WIDE)  # RTCRayHit16: a row per field
    words, address = packet.view(np.int32), packet.ctypes.data
    flags = np.zeros(2 * WIDE, np.int32)
    first = ((-flags.ctypes.data) % 64) // 4
    valid = flags[first : first + WIDE]
    valid_address = valid.ctypes.data
    asked = np.empty(WIDE, np.int64)
    count = 0
    for k in range(len(rays)):
        entry, leave = np.float32(0), distance[rays[k]]
        for axis in range(3):
            inverse = np.float32(1) / directions[k, axis]
            one = (bounds[0, axis] - origin[axis]) * inverse
            other = (bounds[1, axis] - origin[axis]) * inverse
            entry, leave = max(entry, min(one, other)), min(leave, max(one, other))
        if not entry > leave:
            packet[0, count], packet[1, count], packet[2, count] = origin[0], origin[1], origin[2]
            packet[4, count], packet[5, count], packet[6, count] = directions[k, 0], directions[k, 1], directions[k, 2]
            packet[3, count], packet[7, count], packet[8, count] = 0, 0, distance[rays[k]]
            words[9, count], words[10, count], words[11, count] = -1, 0, 0
            words[17, count], words[18, count], words[19, count] = -1, -1, -1
            valid[count] = -1
            asked[count] = rays[k]
            count += 1
        if count == WIDE or (count > 0 and k == len(rays) - 1):
            for lane in range(count, WIDE):
                valid[lane] = 0
            _intersect(valid_address, tree, address, 0)
            for lane in range(count):
                i = asked[lane]
                if words[17, lane] >= 0 and packet[8, lane] < distance[i]:
                    layer[i], face[i] = number, words[17, lane]
                    distance[i], u[i], v[i] = packet[8, lane], packet[15, lane], packet[16, lane]
            count = 0


@compiled("void(intp, f4[:, ::1], f4[:, ::1], f4[:, ::1], f4, i8[::1], b1[::1])")
def shadows(tree, bounds, origins, directions, reach, rays, dark):  # type: ignore[no-untyped-def]
    """Shadows of rays: true in `dark` where a triangle is met.

    dark: [n]. rays: [m]. Only triangles within `reach` metres count.

    tree, bounds: as in `first_hits`. origins, directions: [m, 3].
    """
    memory = np.empty(13 * WIDE, np.float32)
    first = ((-memory.ctypes.data) % 64) // 4
    packet = memory[first : first + 12 * WIDE].reshape(12, WIDE)  # RTCRay16
    words, address = packet.view(np.int32), packet.ctypes.data
    flags = np.zeros(2 * WIDE, np.int32)
    first = ((-flags.ctypes.data) % 64) // 4
    valid = flags[first : first + WIDE]
    valid_address = valid.ctypes.data
    asked = np.empty(WIDE, np.int64)
    count = 0
    for k in range(len(rays)):
        entry, leave = np.float32(0), reach
        for axis in range(3):
            inverse = np.float32(1) / directions[k, axis]
            one = (bounds[0, axis] - origins[k, axis]) * inverse
            other = (bounds[1, axis] - origins[k, axis]) * inverse
            entry, leave = max(entry, min(one, other)), min(leave, max(one, other))
        if not entry > leave:
            for axis in range(3):
                packet[axis, count], packet[4 + axis, count] = origins[k, axis], directions[k, axis]
            packet[3, count], packet[7, count], packet[8, count] = 0, 0, reach
            words[9, count], words[10, count], words[11, count] = -1, 0, 0
            valid[count] = -1
            asked[count] = rays[k]
            count += 1
        if count == WIDE or (count > 0 and k == len(rays) - 1):
            for lane in range(count, WIDE):
                valid[lane] = 0
            _occluded(valid_address, tree, address, 0)
            for lane in range(count):
                if packet[8, lane] < 0:  # Embree's way to say yes
                    dark[asked[lane]] = True
            count = 0


@compiled("i8[::1](f4[:, ::1], f4[::1], f4)")
def aimed(directions, offset, radius):  # type: ignore[no-untyped-def]
    """Numbers of the rays [m] that may meet a ball, int64.

    directions: unit vectors [n, 3] from one origin. offset: [3], from there to the middle of the ball.
    """
    square = offset[0] * offset[0] + offset[1] * offset[1] + offset[2] * offset[2]
    limit = square - radius * radius
    found = np.empty(len(directions), np.int64)
    count = 0
    for i in range(len(directions)):
        along = directions[i, 0] * offset[0] + directions[i, 1] * offset[1] + directions[i, 2] * offset[2]
        along = max(along, np.float32(0))
        if along * along > limit:
            found[count] = i
            count += 1
    return found[:count].copy()


@compiled("i8[::1](f4[:, ::1], f4[:, ::1], f4[::1], f4, b1[::1])")
def aimed_from(origins, directions, middle, radius, dark):  # type: ignore[no-untyped-def]
    """As `aimed`, for rays with origins of their own.

    origins: [n, 3]. Rays that are `dark` [n] are left out. middle: [3], of the ball.
    """
    found = np.empty(len(directions), np.int64)
    count = 0
    for i in range(len(directions)):
        if not dark[i]:
            x, y, z = middle[0] - origins[i, 0], middle[1] - origins[i, 1], middle[2] - origins[i, 2]
            along = max(directions[i, 0] * x + directions[i, 1] * y + directions[i, 2] * z, np.float32(0))
            if x * x + y * y + z * z - along * along < radius * radius:
                found[count] = i
                count += 1
    return found[:count].copy()
