"""First hits and shadows: meshes and rays -> what each ray meets.

Reads meshes, writes arrays; no light, no colour. Each part of the picture (place, things that move, target) is a Scene
of its own, so that the place is prepared once per camera, and so that the target's full silhouette stays known behind
an obstacle. The first hits of a view are drawn (raster_kernels); shadows are asked ray by ray (embree).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.datasets.synped.camera import Rays
from pipeline.datasets.synped.elementary import product
from pipeline.datasets.synped.embree import Tree, shadows
from pipeline.datasets.synped.mesh import Mesh
from pipeline.datasets.synped.mesh_kernels import extent, mesh_normals
from pipeline.datasets.synped.raster_kernels import blocks_of, draw, in_view, placing_of, seen

NOTHING = -1
FAR = np.float32(1e6)
BLOCK = 64  # faces that are drawn or left out together
MARGIN = np.array([[-0.001], [0.001]], np.float32)  # metres around a mesh beyond which rays miss it for certain


class Prepared:
    """Mesh with what rays need of it, made when asked for.

    An obstacle that is tried and left never casts a shadow. lasting: the mesh comes again in many pictures.
    """

    def __init__(self, mesh: Mesh, lasting: bool) -> None:
        self.mesh = mesh
        self._lasting = lasting
        self.block = BLOCK if lasting else max(1, len(mesh.faces))
        self.vertices = np.ascontiguousarray(mesh.vertices, dtype=np.float32)
        self.faces = np.ascontiguousarray(mesh.faces, dtype=np.int32)
        self.coords = np.ascontiguousarray(mesh.coords, dtype=np.float32)

    @cached_property
    def tree(self) -> Tree:
        return Tree(self.vertices, self.faces, self._lasting)

    @cached_property
    def blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """Boxes around blocks of faces, and their vertices."""
        return blocks_of(self.vertices, self.faces, self.block)  # type: ignore[no-any-return]

    @cached_property
    def bounds(self) -> np.ndarray:
        """Lowest and highest corner of a box around all triangles, [2, 3] float32."""
        return np.stack(extent(self.vertices)) + MARGIN

    @cached_property
    def ball(self) -> np.ndarray:
        """Middle and radius of a ball around all triangles, [4] float32."""
        low, high = self.bounds
        return np.append(0.5 * (low + high), 0.5 * np.sqrt(np.sum((high - low) ** 2))).astype(np.float32)

    @cached_property
    def normals(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals of faces [F, 3] and of vertices [V, 3], float32."""
        return mesh_normals(self.vertices, self.faces)  # type: ignore[no-any-return]


class Scene:
    """A mesh prepared for rays.

    Preparing one costs more than asking it, so one Scene can stand in many places. lasting: it comes again in many
    pictures, so that more preparing pays.
    """

    def __init__(self, mesh: Mesh, lasting: bool = False) -> None:
        self.prepared = Prepared(mesh, lasting)
        self.turn = np.eye(3, dtype=np.float32)
        self._shift = np.zeros(3, dtype=np.float32)
        self._is_placed = False

    def placed(self, yaw: float, position: Sequence[float]) -> Scene:
        """Scene turned by `yaw` radians around z, then moved to `position`.

        The mesh and its tree are shared: vertices are moved while they are drawn, shadow rays while they are cast.
        """
        other = copy(self)
        cos, sin = np.cos(yaw), np.sin(yaw)
        other.turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=np.float32)
        other._shift = np.asarray(position, dtype=np.float32)
        other._is_placed = True
        return other

    @property
    def mesh(self) -> Mesh:
        return self.prepared.mesh

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points [n, 3] in the mesh's own coordinates -> where they are now."""
        return (product(points, self.turn.T) + self._shift).astype(np.float32)

    @property
    def corner_normals(self) -> np.ndarray:
        """Normals that shading interpolates, [F, 3 corners, 3] float32."""
        flat, rounded = self.prepared.normals
        normals: np.ndarray = np.where(self.mesh.smooth[:, None, None], rounded[self.prepared.faces], flat[:, None])
        return normals

    def turned(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors [n, 3] of the mesh's own coordinates -> as the scene is turned."""
        if not self._is_placed:
            return vectors
        moved: np.ndarray = product(vectors, self.turn.T)
        return moved

    def draw(self, rays: Rays, number: int, best: Hits) -> None:
        """Write first hits into `best` where they are nearer, as layer `number`."""
        view, mesh = rays.view, self.prepared
        boxes, members = mesh.blocks
        placing = placing_of(self.turn, self._shift, view.axes, view.eye)
        wanted = in_view(boxes, placing, rays.x, rays.y, rays.shifts, best.depth.max())
        if not wanted.any():
            return
        corners = seen(mesh.vertices, members, wanted, placing, rays.x, rays.y)
        grids = (values.reshape(rays.shape) for values in (best.layer, best.face, best.depth, best.u, best.v))
        draw(number, corners, mesh.faces, mesh.block, wanted, rays.x, rays.y, rays.shifts, *grids)

    def shade(self, origins: np.ndarray, directions: np.ndarray, reach: float, dark: np.ndarray) -> None:
        """Shadows: true in `dark` [n] for rays that meet anything.

        Only within `reach` metres, and where it is not true already.

        origins, unit directions: [n, 3] float32.
        """
        mesh = self.prepared
        around = (mesh.bounds, mesh.ball)
        shadows(mesh.tree.address, *around, self.turn, self._shift, origins, directions, reach, dark)


@dataclass(frozen=True)
class Hits:
    """First hits of n rays.

    rays: which. layer [n] int16: which scene, -1 for none. face [n] int32. depth [n] float32: metres along the view's
    axis. u, v [n] float32: weights of the triangle's second and third corner.
    """

    rays: Rays
    layer: np.ndarray
    face: np.ndarray
    depth: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @cached_property
    def distance(self) -> np.ndarray:
        """Metres from the eye, [n] float32."""
        metres: np.ndarray = self.depth * self.rays.lengths
        return metres


def trace(scenes: Sequence[Scene], rays: Rays) -> Hits:
    """Nearest hit of each ray over all scenes."""
    rows, columns = rays.shape
    count = rows * columns
    best = Hits(
        rays,
        np.full(count, NOTHING, np.int16),
        np.full(count, NOTHING, np.int32),
        np.full(count, FAR, np.float32),
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
    )
    for number, scene in enumerate(scenes):
        scene.draw(rays, number, best)
    return best


def covered(hits: Hits, chosen: np.ndarray, others: Sequence[Scene]) -> np.ndarray:
    """[m] bool: are the hits of the chosen rays [m] behind any other scene."""
    layer, depth = np.full_like(hits.layer, NOTHING), np.zeros_like(hits.depth)  # nothing is nearer than 0
    depth[chosen] = hits.depth[chosen]
    face, u, v = (np.empty_like(values) for values in (hits.face, hits.u, hits.v))  # written, not read
    best = Hits(hits.rays, layer, face, depth, u, v)
    for number, scene in enumerate(others):
        scene.draw(hits.rays, number, best)
    nearer: np.ndarray = layer[chosen] != NOTHING
    return nearer


def blocked(scenes: Sequence[Scene], origins: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
    """[n] bool: does any scene stand in the ray's way within `reach` metres."""
    result = np.zeros(len(origins), dtype=bool)
    for scene in scenes:
        scene.shade(origins, directions, reach, result)
    return result
