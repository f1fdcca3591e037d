#!/usr/bin/env bash
# Embree gives the same ray another distance on another kind of CPU: where the CPU has AVX2, or AVX-512, its kernels use
# fused operations, and the last bits of the distance change for more than half of all hits. Which triangle a ray hits
# did not change for 20,000 rays. embreex has one file for all kinds, and Embree chooses when the program starts,
# without a word. A renderer that computes points, shadows and textures from distances writes other bytes on other
# machines; where a random number is drawn per lit point, a single changed answer changes all that follow.
# Observed 2026-12-01 with embreex 4.4.0.post1 (Embree 4.4.0) on a Xeon with AVX-512: 3,347 of 20,000 rays hit, the same
# triangles everywhere. Beside sse2, avx has the same distances, avx2 other ones for 57 % and avx512 for 59 % of the
# hits, by 1.2e-06 at most.
# pipeline/datasets/synped/raster_kernels.py finds first hits itself; Embree is asked for shadows: yes or no.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! grep -q avx2 /proc/cpuinfo; then
    echo "This CPU has no AVX2: there is nothing to compare." >&2
    exit 2
fi
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check embreex==4.4.0.post1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import ctypes
import sys
from importlib import metadata

import embreex.rtcore  # noqa: F401  # loads what the library needs
import numpy as np

path = next(file for file in metadata.files("embreex") if "embree4" in file.name).locate()
embree = ctypes.CDLL(str(path))
address, number, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
for name, result, arguments in (
    ("rtcNewDevice", address, (ctypes.c_char_p,)),
    ("rtcNewScene", address, (address,)),
    ("rtcSetSceneFlags", None, (address, ctypes.c_int)),
    ("rtcNewGeometry", address, (address, ctypes.c_int)),
    ("rtcSetNewGeometryBuffer", address, (address, ctypes.c_int, number, ctypes.c_int, size, size)),
    ("rtcCommitGeometry", None, (address,)),
    ("rtcAttachGeometry", number, (address, address)),
    ("rtcCommitScene", None, (address,)),
    ("rtcIntersect1", None, (address, address, address)),
):
    function = getattr(embree, name)
    function.restype, function.argtypes = result, arguments

rng = np.random.default_rng(0)
corners = rng.uniform(-0.5, 0.5, (600, 1, 3)) + rng.normal(0, 0.03, (600, 3, 3))
vertices = np.zeros((1800, 4), np.float32)
vertices[:, :3] = corners.reshape(-1, 3)
faces = np.arange(1800, dtype=np.uint32).reshape(-1, 3)
directions = np.array([0, 1, 0]) + rng.uniform(-0.25, 0.25, (20_000, 3))
directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


def hits(kind):
    """Triangle and distance of every ray."""
    device = embree.rtcNewDevice(f"threads=1,isa={kind}".encode())
    scene, mesh = embree.rtcNewScene(device), embree.rtcNewGeometry(device, 0)
    embree.rtcSetSceneFlags(scene, 4)  # robust, as embreex has it
    for buffer, form, rows in ((1, 0x9003, vertices), (0, 0x5003, faces)):
        place = embree.rtcSetNewGeometryBuffer(mesh, buffer, 0, form, rows.strides[0], len(rows))
        ctypes.memmove(place, rows.ctypes.data, rows.nbytes)
    embree.rtcCommitGeometry(mesh)
    embree.rtcAttachGeometry(scene, mesh)
    embree.rtcCommitScene(scene)
    memory = np.zeros(64, np.float32)
    skip = (-memory.ctypes.data % 64) // 4
    ray = memory[skip : skip + 24]  # RTCRayHit
    words = ray.view(np.int32)
    triangles, distances = np.empty(len(directions), np.int32), np.empty(len(directions), np.float32)
    for i, direction in enumerate(directions):
        ray[:] = 0
        ray[:3], ray[4:7], ray[8] = (0, -3, 0), direction, 1e6
        words[9], words[17], words[18], words[19] = -1, -1, -1, -1
        embree.rtcIntersect1(scene, ray.ctypes.data, None)
        triangles[i], distances[i] = words[17], ray[8]
    return triangles, distances


with open("/proc/cpuinfo") as file:
    wide = "avx512f" in file.read()
triangles, distances = hits("sse2")
met = triangles >= 0
print(f"embreex {metadata.version('embreex')}: {met.sum()} of {len(met)} rays hit with isa=sse2")
changed, same = {}, True
for kind in ("avx", "avx2", *(("avx512",) if wide else ())):
    others, theirs = hits(kind)
    same = same and np.array_equal(others, triangles)
    changed[kind] = float((theirs[met] != distances[met]).mean())
    farthest = float(np.abs(theirs[met] - distances[met]).max())
    print(f"isa={kind}: other distances for {changed[kind]:.1%} of the hits, by {farthest:.1e} at most; the same triangles: {np.array_equal(others, triangles)}")
sys.exit(0 if changed["avx2"] > 0.01 and same else 1)
PYTHON
