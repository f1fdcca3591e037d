"""Meshes with only as many triangles as a camera can resolve.

Reads and writes nothing. The body model spends most of its triangles on fingers and lips, a fraction of a pixel each;
drawing them costs more than the rest of the picture.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.mesh_kernels import cube_keys, group_means, grouped, merged_faces


def simplified(mesh: Mesh, cell: float) -> Mesh:
    """Mesh with nearby vertices merged into their mean.

    All vertices of one surface in one cube of side `cell` (metres) are merged. Triangles that lose a corner are
    removed. Surfaces never merge: cloth stays above skin.
    """
    key = cube_keys(mesh.vertices, mesh.faces, mesh.surface, cell)
    group, first = grouped(key)
    faces, kept = merged_faces(mesh.faces, group)
    return replace(
        mesh,
        vertices=group_means(mesh.vertices, group, len(first)),
        faces=faces,
        part=mesh.part[kept],
        surface=mesh.surface[kept],
        coords=mesh.coords[first],
        smooth=mesh.smooth[kept],
    )
