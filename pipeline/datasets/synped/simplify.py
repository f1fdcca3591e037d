"""Meshes with only as many triangles as a camera can resolve.

Reads and writes nothing. The body model spends most of its triangles on fingers and lips, a fraction of a pixel each;
handing them to the ray caster costs more than tracing the picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.mesh_kernels import grouped


def simplified(mesh: Mesh, cell: float) -> Mesh:
    """Mesh with nearby vertices merged into their mean.

    All vertices of one surface in one cube of side `cell` (metres) are merged. Triangles that lose a corner are
    removed. Surfaces never merge: cloth stays above skin.
    """
    owner = np.zeros(len(mesh.vertices), np.int64)
    owner[mesh.faces.ravel()] = np.repeat(mesh.surface, 3)
    cube = np.floor((mesh.vertices - mesh.vertices.min(axis=0)) / np.float32(cell)).astype(np.int64)
    key = owner
    for axis in range(3):
        key = key * (int(cube[:, axis].max()) + 1) + cube[:, axis]
    group, first = grouped(key)
    count = np.bincount(group)
    means = [np.bincount(group, weights=mesh.vertices[:, axis]) / count for axis in range(3)]
    faces = group[mesh.faces]
    a, b, c = faces.T
    kept = (a != b) & (b != c) & (a != c)
    return replace(
        mesh,
        vertices=np.stack(means, axis=1).astype(np.float32),
        faces=faces[kept],
        part=mesh.part[kept],
        surface=mesh.surface[kept],
        coords=mesh.coords[first],
        smooth=mesh.smooth[kept],
    )
