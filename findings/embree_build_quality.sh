#!/usr/bin/env bash
# A low build quality of an Embree scene alone changes nothing: the tree takes as long to build as with a medium one.
# The quality of the geometry counts, and only in a scene that has a low quality, too. Either call by itself is
# accepted without an error. Who builds a scene per picture and sets the scene's quality waits three times as long as
# needed, and never learns it.
# Observed 2026-12-01 with embreex 4.4.0.post1 (Embree 4.4.0), 20,000 triangles, one thread: 3.57 ms with neither, 3.52
# with the scene's, 3.58 with the geometry's, 0.99 with both.
# pipeline/datasets/synped/embree.py sets both for meshes that do not come again.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check embreex==4.4.0.post1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import ctypes
import sys
import time
from importlib import metadata

import embreex.rtcore  # noqa: F401  # loads what the library needs
import numpy as np

path = next(file for file in metadata.files("embreex") if "embree4" in file.name).locate()
embree = ctypes.CDLL(str(path))
address, number, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
for name, result, arguments in (
    ("rtcNewDevice", address, (ctypes.c_char_p,)),
    ("rtcGetDeviceError", ctypes.c_int, (address,)),
    ("rtcNewScene", address, (address,)),
    ("rtcReleaseScene", None, (address,)),
    ("rtcSetSceneBuildQuality", None, (address, ctypes.c_int)),
    ("rtcNewGeometry", address, (address, ctypes.c_int)),
    ("rtcReleaseGeometry", None, (address,)),
    ("rtcSetGeometryBuildQuality", None, (address, ctypes.c_int)),
    ("rtcSetNewGeometryBuffer", address, (address, ctypes.c_int, number, ctypes.c_int, size, size)),
    ("rtcCommitGeometry", None, (address,)),
    ("rtcAttachGeometry", number, (address, address)),
    ("rtcCommitScene", None, (address,)),
):
    function = getattr(embree, name)
    function.restype, function.argtypes = result, arguments

LOW, MEDIUM = 0, 1
side = 101
x, y = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
vertices = np.zeros((side * side, 4), np.float32)
vertices[:, 0], vertices[:, 1], vertices[:, 2] = x.ravel(), y.ravel(), np.sin(9 * x * y).ravel()
corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
faces = np.concatenate([corner[:, None] + [0, 1, side], corner[:, None] + [side + 1, 1, side]]).astype(np.uint32)
device = embree.rtcNewDevice(b"threads=1")


def seconds(of_scene, of_mesh):
    """Time of the commit, best of 30."""
    best = 1e9
    for _ in range(30):
        scene, mesh = embree.rtcNewScene(device), embree.rtcNewGeometry(device, 0)
        embree.rtcSetSceneBuildQuality(scene, of_scene)
        embree.rtcSetGeometryBuildQuality(mesh, of_mesh)
        for buffer, form, rows in ((1, 0x9003, vertices), (0, 0x5003, faces)):
            place = embree.rtcSetNewGeometryBuffer(mesh, buffer, 0, form, rows.strides[0], len(rows))
            ctypes.memmove(place, rows.ctypes.data, rows.nbytes)
        embree.rtcCommitGeometry(mesh)
        embree.rtcAttachGeometry(scene, mesh)
        start = time.perf_counter()
        embree.rtcCommitScene(scene)
        best = min(best, time.perf_counter() - start)
        assert embree.rtcGetDeviceError(device) == 0
        embree.rtcReleaseGeometry(mesh)
        embree.rtcReleaseScene(scene)
    return best


neither, scene, mesh, both = (
    seconds(*choice) for choice in ((MEDIUM, MEDIUM), (LOW, MEDIUM), (MEDIUM, LOW), (LOW, LOW))
)
print(
    f"embreex {metadata.version('embreex')}, {len(faces)} triangles: neither {neither * 1e3:.2f} ms, scene low "
    f"{scene * 1e3:.2f}, mesh low {mesh * 1e3:.2f}, both low {both * 1e3:.2f}"
)
sys.exit(0 if scene > 0.8 * neither and mesh > 0.8 * neither and both < 0.6 * neither else 1)
PYTHON
