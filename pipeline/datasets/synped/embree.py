"""Embree through its C interface: shadows of rays.

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
_TRIANGLES, _INDICES, _VERTICES, _FLOAT3, _UINT3, _ROBUST, _LOW = 0, 0, 1, 0x9003, 0x5003, 4, 0
WIDE = 16  # rays of a packet


def _library_path() -> str:
    """File of the library that embreex installed."""
    try:
        files = [file for file in metadata.files("embreex") or () if "embree4" in file.name]
    except metadata.PackageNotFoundError:
        files = []
    if not files:
        raise UserError(
            "the Python package 'embreex' has no library embree4; SynPed finds its shadows with it",
            'Install it again: pip install --force-reinstall "embreex>=4.4"',
        )
    return str(files[0].locate())


def _load() -> ctypes.CDLL:
    path = _library_path()
    library = ctypes.CDLL(path)
    binding.load_library_permanently(path)  # where compiled kernels find rtcOccluded16
    pointer, number, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
    for name, result, arguments in (
        ("rtcNewDevice", pointer, (ctypes.c_char_p,)),
        ("rtcNewScene", pointer, (pointer,)),
        ("rtcSetSceneFlags", None, (pointer, ctypes.c_int)),
        ("rtcSetSceneBuildQuality", None, (pointer, ctypes.c_int)),
        ("rtcSetGeometryBuildQuality", None, (pointer, ctypes.c_int)),
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

    vertices: [V, 3] float32. faces: [F, 3] int32. Both are copied. lasting: it is asked so often that a better tree
    pays, which takes three times as long to make. address: of Embree's scene, as long as the Tree lives. Raises
    MemoryError.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, lasting: bool) -> None:
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
        if not lasting:
            _library.rtcSetSceneBuildQuality(self.address, _LOW)
            _library.rtcSetGeometryBuildQuality(geometry, _LOW)
        _library.rtcCommitGeometry(geometry)
        _library.rtcAttachGeometry(self.address, geometry)
        _library.rtcReleaseGeometry(geometry)
        _library.rtcCommitScene(self.address)


_occluded: Any = types.ExternalFunction("rtcOccluded16", types.void(types.intp, types.intp, types.intp, types.intp))


@compiled("void(intp, f4[:, ::1], f4[::1], f4[:, ::1], f4[::1], f4[:, ::1], f4[:, ::1], f4, b1[::1])")
def shadows(tree, bounds, ball, turn, shift, origins, directions, reach, dark):  # type: ignore[no-untyped-def]
    """Shadows of rays: true in `dark` [n] where a triangle is met.

    Only triangles within `reach` metres count. Rays that are dark already are not asked.

    tree: Tree.address. bounds: [2, 3], lowest and highest corner of a box around all triangles. ball: [4], middle and
    radius of one around them. turn: [3, 3], then shift: [3], from there to where the rays are. origins, directions:
    [n, 3], unit vectors. The rays go in packets of 16, which Embree follows together.
    """
    memory = np.empty(13 * WIDE, np.float32)
    first = ((-memory.ctypes.data) % 64) // 4  # Embree reads whole vectors: from an aligned address
    packet = memory[first : first + 12 * WIDE].reshape(12, WIDE)  # RTCRay16: a row per field
    words, address = packet.view(np.int32), packet.ctypes.data
    flags = np.zeros(2 * WIDE, np.int32)
    first = ((-flags.ctypes.data) % 64) // 4
    valid = flags[first : first + WIDE]
    valid_address = valid.ctypes.data
    asked = np.empty(WIDE, np.int64)
    count = 0
    middle = np.empty(3, np.float32)
    for axis in range(3):
        middle[axis] = turn[axis, 0] * ball[0] + turn[axis, 1] * ball[1] + turn[axis, 2] * ball[2] + shift[axis]
    square = ball[3] * ball[3]
    start, along = np.empty(3, np.float32), np.empty(3, np.float32)
    for k in range(len(dark) + 1):
        if k < len(dark):
            if dark[k]:
                continue
            x, y, z = middle[0] - origins[k, 0], middle[1] - origins[k, 1], middle[2] - origins[k, 2]
            nearest = max(directions[k, 0] * x + directions[k, 1] * y + directions[k, 2] * z, np.float32(0))
            if not x * x + y * y + z * z - nearest * nearest < square:
                continue
            entry, leave = np.float32(0), reach
            x, y, z = origins[k, 0] - shift[0], origins[k, 1] - shift[1], origins[k, 2] - shift[2]
            for axis in range(3):
                start[axis] = x * turn[0, axis] + y * turn[1, axis] + z * turn[2, axis]
                along[axis] = (
                    directions[k, 0] * turn[0, axis]
                    + directions[k, 1] * turn[1, axis]
                    + directions[k, 2] * turn[2, axis]
                )
                inverse = np.float32(1) / along[axis]
                one = (bounds[0, axis] - start[axis]) * inverse
                other = (bounds[1, axis] - start[axis]) * inverse
                entry, leave = max(entry, min(one, other)), min(leave, max(one, other))
            if entry > leave:
                continue
            for axis in range(3):
                packet[axis, count], packet[4 + axis, count] = start[axis], along[axis]
            packet[3, count], packet[7, count], packet[8, count] = 0, 0, reach
            words[9, count], words[10, count], words[11, count] = -1, 0, 0
            valid[count] = -1
            asked[count] = k
            count += 1
        if count == WIDE or (count > 0 and k == len(dark)):
            for lane in range(count, WIDE):
                valid[lane] = 0
            _occluded(valid_address, tree, address, 0)
            for lane in range(count):
                if packet[8, lane] < 0:  # Embree's way to say yes
                    dark[asked[lane]] = True
            count = 0
