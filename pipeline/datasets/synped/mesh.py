"""Mesh and Surface: geometry and materials of people, obstacles and ground.

Units are metres, z points up. A person at rest looks along -y (towards the camera) and stands on z = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.datasets.synped.elementary import product


@dataclass(frozen=True)
class Surface:
    """How a material looks.

    albedo: texture coordinates [n, 3] float32 -> linear RGB [n, 3] float32 in [0, 1].
    bump: amplitude of the random tilt of the normal (folds of cloth, bark), 0 = smooth. bump_scale: its size in metres.
    gloss: share of mirrored sky in [0, 1] (car paint 0.3, leather 0.1, cloth 0).
    """

    albedo: Callable[[np.ndarray], np.ndarray]
    bump: float = 0.0
    bump_scale: float = 0.05
    gloss: float = 0.0


@dataclass(frozen=True)
class Mesh:
    """Triangles with a body part and a surface each.

    vertices: [V, 3] float32 metres. faces: [F, 3] int32. part: [F] uint8, a class id of `sorn.parts` (0: not body).
    surface: [F] int16, index into `surfaces`. coords: [V, 3] float32, where textures are looked up: the vertex in the
    rest pose, so that a pattern sticks to the cloth while the person walks. smooth: [F] bool, True where shading
    interpolates vertex normals.
    """

    vertices: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    surface: np.ndarray
    coords: np.ndarray
    smooth: np.ndarray
    surfaces: tuple[Surface, ...]

    def placed(self, yaw: float, position: Sequence[float]) -> Mesh:
        """Mesh turned by `yaw` and moved to `position` (x, y, z).

        yaw: radians around z, counter-clockwise from above.
        """
        cos, sin = np.cos(yaw), np.sin(yaw)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=np.float32)
        return replace(self, vertices=product(self.vertices, turn.T) + np.asarray(position, dtype=np.float32))

    def as_background(self) -> Mesh:
        """The same thing, no longer the target: every face becomes background."""
        return replace(self, part=np.zeros_like(self.part))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; surfaces are renumbered."""
    vertex_offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes], dtype=np.int32)
    surface_offsets = np.cumsum([0] + [len(mesh.surfaces) for mesh in meshes], dtype=np.int16)
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, vertex_offsets, strict=False)]),
        part=np.concatenate([mesh.part for mesh in meshes]),
        surface=np.concatenate([mesh.surface + offset for mesh, offset in zip(meshes, surface_offsets, strict=False)]),
        coords=np.concatenate([mesh.coords for mesh in meshes]),
        smooth=np.concatenate([mesh.smooth for mesh in meshes]),
        surfaces=tuple(surface for mesh in meshes for surface in mesh.surfaces),
    )
