"""Simple solids as meshes: boxes, tubes, turned and extruded shapes, leaves.

Reads and writes nothing. Everything is built in its own coordinates (metres, z up); texture coordinates are the
vertices there, so textures do not swim when a thing is placed. Nothing here is a body part: part = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pipeline.datasets.synped.mesh import Mesh, Surface
from pipeline.datasets.synped.solid_kernels import rings

Point = Sequence[float] | np.ndarray


def solid(
    vertices: np.ndarray, faces: np.ndarray, surface: Surface, smooth: bool = False, coords: np.ndarray | None = None
) -> Mesh:
    """A mesh of one surface from vertices [V, 3] and faces [F, 3]."""
    vertices = np.asarray(vertices, dtype=np.float32)
    faces = np.asarray(faces, dtype=np.int32)
    count = len(faces)
    return Mesh(
        vertices,
        faces,
        part=np.zeros(count, np.uint8),
        surface=np.zeros(count, np.int16),
        coords=vertices if coords is None else np.asarray(coords, dtype=np.float32),
        smooth=np.full(count, smooth),
        surfaces=(surface,),
    )


def box(size: Point, centre: Point, surface: Surface) -> Mesh:
    """Axis-aligned box; `size` and `centre` in metres."""
    corner = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return solid(corner * np.asarray(size) + np.asarray(centre), np.array(faces), surface)


def lathe(profile: Sequence[tuple[float, float]], surface: Surface, segments: int = 16, smooth: bool = True) -> Mesh:
    """Turned shape around the z axis.

    profile: (radius, z) from bottom to top.
    """
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rings = np.array([[(r * np.cos(a), r * np.sin(a), z) for a in angles] for r, z in profile])
    return solid(rings.reshape(-1, 3), _grid_faces(len(profile), segments), surface, smooth)


def tube(path: Sequence[Point], radius: float, surface: Surface, segments: int = 6) -> Mesh:
    """A bar of round section along a path of points."""
    points = np.ascontiguousarray(path, dtype=np.float64)
    vertices = rings(points, radius, *_circle(segments))
    return solid(vertices, _grid_faces(len(points), segments)[:, ::-1], surface, smooth=True)


@lru_cache(maxsize=64)
def _circle(segments: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines [segments] of equal steps."""
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    return np.cos(angles), np.sin(angles)


def hoop(radius: float, thickness: float, surface: Surface, segments: int = 20) -> Mesh:
    """An upright ring in the y-z plane around the origin.

    For example a tyre or a handle.
    """
    angles = np.linspace(0, 2 * np.pi, segments + 1)
    return tube([(0, radius * np.cos(a), radius * np.sin(a)) for a in angles], thickness, surface)


def extrude(profile: Sequence[tuple[float, float]], width: float, surface: Surface, taper: float = 1.0) -> Mesh:
    """Closed outline of (y, z), as thick as `width` along x.

    The outline is counter-clockwise seen from +x, and star-shaped seen from its mean. taper: scales the width at the
    top of the outline (car cabins).
    """
    outline = np.asarray(profile, dtype=np.float64)
    low, high = outline[:, 1].min(), outline[:, 1].max()
    half = 0.5 * width * (1 + (taper - 1) * (outline[:, 1] - low) / max(high - low, 1e-9))
    count = len(outline)
    sides = [np.column_stack([sign * half, outline]) for sign in (-1, 1)]
    middle = outline.mean(axis=0)
    mean_half = float(half.mean())
    vertices = np.concatenate([*sides, [[-mean_half, *middle], [mean_half, *middle]]])
    faces = []
    for i in range(count):
        j = (i + 1) % count
        faces += [(i, i + count, j), (j, i + count, j + count)]
        faces += [(2 * count, i, j), (2 * count + 1, j + count, i + count)]
    return solid(vertices, np.array(faces), surface)


def panel(corners: Sequence[Point], surface: Surface) -> Mesh:
    """A flat polygon, convex, of any number of corners."""
    count = len(corners)
    return solid(np.array(corners), np.array([(0, i, i + 1) for i in range(1, count - 1)]), surface)


def leaves(centres: np.ndarray, size: float, surface: Surface, rng: np.random.Generator, flatness: float = 0.4) -> Mesh:
    """One small diamond per centre [n, 3], randomly turned.

    Texture coordinates are one random triple per leaf. size: length of a leaf in metres. flatness: 0 = any direction, 1
    = all face up.
    """
    count = len(centres)
    normal = rng.standard_normal((count, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    normal[:, 2] = np.abs(normal[:, 2]) + flatness
    along = _cross(normal, rng.standard_normal((count, 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = _cross(normal / np.linalg.norm(normal, axis=1, keepdims=True), along)
    length = size * rng.uniform(0.6, 1.3, (count, 1))
    a, b = along * length * 0.5, across * length * 0.3
    vertices = np.stack([centres - a, centres + b, centres + a, centres - b], axis=1).reshape(-1, 3)
    first = 4 * np.arange(count)[:, None]
    faces = np.concatenate([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])])
    own = np.repeat(rng.random((count, 3)), 4, axis=0)
    return solid(vertices, faces, surface, coords=own)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of rows [n, 3], three times as fast as numpy's for few rows."""
    product = np.empty(np.broadcast_shapes(a.shape, b.shape))
    for axis, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
        product[:, axis] = a[:, i] * b[:, j] - a[:, j] * b[:, i]
    return product


@lru_cache(maxsize=256)
def _grid_faces(rings: int, segments: int) -> np.ndarray:
    """Faces between consecutive closed rings of `segments` vertices, outside to the right of the path."""
    ring, k = np.meshgrid(np.arange(rings - 1), np.arange(segments), indexing="ij")
    a = (ring * segments + k).ravel()
    b = (ring * segments + (k + 1) % segments).ravel()
    return np.concatenate([np.column_stack([a, b, b + segments]), np.column_stack([a, b + segments, a + segments])])
