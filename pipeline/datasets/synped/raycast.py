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

from pipeline.datasets.synped.embree import Tree, aimed, aimed_from, first_hits, shadows
from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.mesh_kernels import extent, mesh_normals

NOTHING = -1
FAR = np.float32(1e6)
MARGIN = np.array([[-0.001], [0.001]], np.float32)  # metres around a mesh beyond which rays miss it for certain


class Scene:
    """A mesh prepared for rays.

    Preparing one costs more than asking it, so one Scene can stand in many places.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        vertices = np.ascontiguousarray(mesh.vertices, dtype=np.float32)
        self.faces = np.ascontiguousarray(mesh.faces, dtype=np.int32)
        self.coords = np.ascontiguousarray(mesh.coords, dtype=np.float32)
        self._tree = Tree(vertices, self.faces)
        self.face_normals, self.vertex_normals = mesh_normals(vertices, self.faces)
        low, high = extent(vertices)
        self._bounds = np.stack([low, high]) + MARGIN
        self._own_middle = self._middle = 0.5 * (low + high)
        self._radius = np.float32(float(np.linalg.norm(high - low)) / 2)
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
        other._middle = other.to_world(self._own_middle)
        return other

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points [n, 3] in the mesh's own coordinates -> where they are now."""
        return (points @ self.turn.T + self._shift).astype(np.float32)

    @property
    def corner_normals(self) -> np.ndarray:
        """Normals that shading interpolates, [F, 3 corners, 3] float32."""
        flat = self.face_normals[:, None]
        normals: np.ndarray = np.where(self.mesh.smooth[:, None, None], self.vertex_normals[self.faces], flat)
        return normals

    def turned(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors [n, 3] of the mesh's own coordinates -> as the scene is turned."""
        if not self._is_placed:
            return vectors
        moved: np.ndarray = vectors @ self.turn.T
        return moved

    def find(self, origin: np.ndarray, directions: np.ndarray, number: int, best: Hits) -> None:
        """Write first hits into `best` where they are nearer, as layer `number`.

        The rays start at origin [3] and have unit directions [n, 3] float32.
        """
        rays = np.arange(len(directions))
        if self._is_placed:
            rays = aimed(directions, (self._middle - origin).astype(np.float32), self._radius)
            origin, directions = (origin - self._shift) @ self.turn, directions[rays] @ self.turn
        start = np.ascontiguousarray(origin, np.float32)
        first_hits(
            self._tree.address,
            number,
            self._bounds,
            start,
            directions,
            rays,
            best.layer,
            best.face,
            best.distance,
            best.u,
            best.v,
        )

    def shade(self, origins: np.ndarray, directions: np.ndarray, reach: float, dark: np.ndarray) -> None:
        """Shadows: true in `dark` [n] for rays that meet anything.

        Only within `reach` metres, and where it is not true already.

        origins, unit directions: [n, 3] float32.
        """
        if self._is_placed:
            rays = aimed_from(origins, directions, self._middle, self._radius, dark)
            origins, directions = (origins[rays] - self._shift) @ self.turn, directions[rays] @ self.turn
        else:
            rays = np.flatnonzero(~dark)
            if len(rays) < len(dark):
                origins, directions = origins[rays], directions[rays]
        shadows(self._tree.address, self._bounds, origins, directions, reach, rays, dark)


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
    directions = np.ascontiguousarray(directions)
    for number, scene in enumerate(scenes):
        scene.find(origin, directions, number, best)
    return best


def covered(
    hits: Hits, rays: np.ndarray, others: Sequence[Scene], origin: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """[m] bool: are the hits of these rays [m] behind any other scene.

    hits: of all rays [n], which start at origin [3] and have unit directions [n, 3].
    """
    best = Hits(*(values[rays] for values in (hits.layer, hits.face, hits.distance, hits.u, hits.v)))
    best.layer[:] = NOTHING
    for number, scene in enumerate(others):
        scene.find(origin, directions[rays], number, best)
    nearer: np.ndarray = best.layer != NOTHING
    return nearer


def blocked(scenes: Sequence[Scene], origins: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
    """[n] bool: does any scene stand in the ray's way within `reach` metres."""
    result = np.zeros(len(origins), dtype=bool)
    for scene in scenes:
        scene.shade(origins, directions, reach, result)
    return result


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n, 3] scaled to length 1, float32; zero vectors stay zero."""
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    scaled: np.ndarray = (vectors / np.maximum(length, 1e-12)[:, None]).astype(np.float32)
    return scaled
