"""Ray casting: meshes and rays -> what each ray hits.

Reads meshes, writes arrays; no light, no colour. Each part of the picture (place, things that move, target) is a Scene
of its own, so that the place is prepared once per camera, and so that the target's full silhouette stays known behind
an obstacle.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from pipeline.datasets.synped.mesh import Mesh

NOTHING = -1
FAR = np.float32(1e6)


class Scene:
    """A mesh prepared for rays.

    Preparing one costs more than asking it, so one Scene can stand in many places.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        vertices = np.ascontiguousarray(mesh.vertices, dtype=np.float32)
        faces = np.ascontiguousarray(mesh.faces, dtype=np.int32)
        self._scene = EmbreeScene()
        self._geometry = TriangleMesh(self._scene, vertices, faces)
        corners = vertices[faces]  # [F, 3 corners, 3]
        weighted = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.face_normals = unit(weighted)
        rounded = unit(_sum_at_vertices(weighted, faces, len(vertices)))
        # Packed per corner, so that shading gathers once per hit: [F, 3 corners, 3].
        self.corner_normals = np.where(mesh.smooth[:, None, None], rounded[faces], self.face_normals[:, None])
        self.corner_coords = np.asarray(mesh.coords, dtype=np.float32)[faces]
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        self._middle = 0.5 * (low + high)
        self._radius = float(np.linalg.norm(high - low)) / 2
        self.turn = np.eye(3, dtype=np.float32)
        self._shift = np.zeros(3, dtype=np.float32)
        self._is_placed = False

    def placed(self, yaw: float, position: Sequence[float]) -> Scene:
        """Scene turned by `yaw` radians around z, then moved to `position`.

        The rays are moved instead of the mesh.
        """
        other = copy(self)
        cos, sin = np.cos(yaw), np.sin(yaw)
        other.turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=np.float32)
        other._shift = np.asarray(position, dtype=np.float32)
        other._is_placed = True
        return other

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points [n, 3] in the mesh's own coordinates -> where they are now."""
        return (points @ self.turn.T + self._shift).astype(np.float32)

    def query(
        self, origin: np.ndarray, directions: np.ndarray, reach: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """First hits of rays from `origin` [3], nearer than reach [n] metres.

        The rays have unit directions [n, 3]. Returns which rays may hit at all [m], and for these `tfar` (metres),
        `primID` (-1: none), `u`, `v` (weights of corners 1 and 2).
        """
        near = np.arange(len(directions))
        if self._is_placed:
            offset = self.to_world(self._middle) - origin
            along = np.maximum(directions @ offset, 0)
            near = np.flatnonzero(offset @ offset - along * along < self._radius**2)
            origin, directions, reach = (origin - self._shift) @ self.turn, directions[near] @ self.turn, reach[near]
        origins = np.tile(np.asarray(origin, np.float32), (len(near), 1))
        reach = reach.copy()  # embreex writes its answers there
        return near, self._scene.run(origins, np.ascontiguousarray(directions), dists=reach, output=True)

    def blocks(self, origins: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
        """[n] bool: do rays [n, 3] with unit directions meet anything within `reach` metres."""
        result = np.zeros(len(origins), dtype=bool)
        near = np.arange(len(origins))
        if self._is_placed:
            offset = self.to_world(self._middle) - origins
            along = np.maximum(np.einsum("ij,ij->i", offset, directions), 0)
            missed = np.einsum("ij,ij->i", offset, offset) - along * along
            near = np.flatnonzero(missed < self._radius**2)
            origins, directions = (origins[near] - self._shift) @ self.turn, directions[near] @ self.turn
        distances = np.full(len(near), reach, dtype=np.float32)
        rays = np.ascontiguousarray(origins), np.ascontiguousarray(directions)
        result[near] = self._scene.run(*rays, dists=distances, query="OCCLUDED") == 0
        return result


@dataclass(frozen=True)
class Hits:
    """First hits of n rays.

    layer [n] int16: which scene, -1 for none. face [n] int32. distance [n] float32 metres. u, v [n] float32: weights of
    the triangle's second and third corner.
    """

    layer: np.ndarray
    face: np.ndarray
    distance: np.ndarray
    u: np.ndarray
    v: np.ndarray


def trace(scenes: Sequence[Scene], origin: np.ndarray, directions: np.ndarray) -> Hits:
    """Nearest hit of each ray over all scenes.

    The rays start at origin [3] and have directions [n, 3] float32 of length 1.
    """
    count = len(directions)
    best = Hits(
        np.full(count, NOTHING, np.int16),
        np.full(count, NOTHING, np.int32),
        np.full(count, FAR, np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
    )
    for layer, scene in enumerate(scenes):
        asked, found = scene.query(origin, directions, best.distance)
        nearer = np.flatnonzero((found["primID"] >= 0) & (found["tfar"] < best.distance[asked]))
        rays = asked[nearer]
        best.layer[rays] = layer
        best.face[rays] = found["primID"][nearer]
        best.distance[rays] = found["tfar"][nearer]
        best.u[rays] = found["u"][nearer]
        best.v[rays] = found["v"][nearer]
    return best


def blocked(scenes: Sequence[Scene], origins: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
    """[n] bool: does any scene stand in the ray's way within `reach` metres."""
    result = np.zeros(len(origins), dtype=bool)
    for scene in scenes:
        free = np.flatnonzero(~result)
        if len(free):
            result[free] = scene.blocks(origins[free], directions[free], reach)
    return result


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n, 3] scaled to length 1, float32; zero vectors stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    scaled: np.ndarray = (vectors / np.maximum(length, 1e-12)[:, None]).astype(np.float32)
    return scaled


def _sum_at_vertices(values: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """Sum of face values [F, 3] at every vertex: [count, 3]."""
    corners = faces.ravel()
    return np.stack(
        [np.bincount(corners, weights=np.repeat(values[:, axis], 3), minlength=count) for axis in range(3)], axis=1
    )
