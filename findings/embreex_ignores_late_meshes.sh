#!/usr/bin/env bash
# An EmbreeScene of embreex is closed by its first query. A mesh added afterwards is accepted and never hit: no error,
# no warning, and the answers of the scene before. A renderer that asks where the ground is, and then puts a wall before
# the person, renders the person without the wall; its masks say that nothing is hidden. Everything must be added before
# the first ray.
# Observed 2026-11-29 with embreex 4.4.0.post1: distance 3.0 to the person, and 3.0 again with a wall at 1.0; a new
# scene says 1.0.
# pipeline/datasets/synped/raycast.py makes a scene with its one mesh, and never adds to it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check embreex==4.4.0.post1 numpy==2.4.6
"$work/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

camera, ahead = np.zeros((1, 3), np.float32), np.array([[0, 0, 1]], np.float32)


def square(depth):
    corners = np.array([[-1, -1, depth], [1, -1, depth], [1, 1, depth], [-1, 1, depth]], np.float32)
    return corners[[[0, 1, 3], [1, 2, 3]]]


def distance(scene):
    return float(scene.run(camera + np.float32([[0.3, 0.2, 0]]), ahead, query="DISTANCE")[0])


scene = EmbreeScene()
person = TriangleMesh(scene, square(3))
before = distance(scene)
wall = TriangleMesh(scene, square(1))
after = distance(scene)
again = EmbreeScene()
meshes = [TriangleMesh(again, square(depth)) for depth in (3, 1)]
fresh = distance(again)
print(f"embreex {version('embreex')}: person alone {before}, with a wall added after the first ray {after}, in a new scene {fresh}")
assert before == 3 and fresh == 1
sys.exit(0 if after == 3 else 1)
PYTHON
