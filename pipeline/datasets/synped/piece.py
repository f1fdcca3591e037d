"""Piece of a dressed person in the rest pose; cutting and joining.

Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.datasets.synped.body import SEGMENT, SEGMENTS
from pipeline.datasets.synped.elementary import power
from pipeline.datasets.synped.mesh import Mesh, Surface
from pipeline.datasets.synped.mesh_kernels import grouped
from pipeline.datasets.synped.piece_kernels import cut_faces


@dataclass(frozen=True)
class Piece:
    """As Mesh, with skin weights instead of a pose.

    vertices: [n, 3] float32 metres. weights: [n, S] float32. faces: [F, 3] int32. part: [F] uint8. surface: [F] int16.
    coords: [n, 3] float32. surfaces: what `surface` indexes. smooth: for all faces.
    """

    vertices: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    surface: np.ndarray
    coords: np.ndarray
    surfaces: tuple[Surface, ...]
    smooth: bool = True

    def as_mesh(self) -> Mesh:
        """In the rest pose."""
        smooth = np.full(len(self.faces), self.smooth)
        return Mesh(self.vertices, self.faces, self.part, self.surface, self.coords, smooth, self.surfaces)


def compact(piece: Piece) -> Piece:
    """Without the vertices that no face uses."""
    is_used = np.zeros(len(piece.vertices), bool)
    is_used[piece.faces] = True
    used = np.flatnonzero(is_used)
    return replace(
        piece,
        vertices=piece.vertices[used],
        weights=piece.weights[used],
        coords=piece.coords[used],
        faces=(np.cumsum(is_used, dtype=np.int32) - 1)[piece.faces],
    )


def clip(piece: Piece, field: np.ndarray) -> Piece:
    """Part of the piece where `field` [n] > 0.

    Faces on the border are cut along the straight line field = 0. Neighbours that cut the same edge get the same
    vertex, so that the cloth stays smooth up to its hem.
    """
    count = len(piece.vertices)
    faces, source, start, end = cut_faces(np.ascontiguousarray(piece.faces, np.int32), field > 0)
    edge, first = grouped(np.minimum(start, end) * count + np.maximum(start, end))
    faces = np.concatenate([np.arange(count), count + edge])[faces]
    start, end = start[first], end[first]
    share = (field[start] / (field[start] - field[end]))[:, None].astype(np.float32)
    is_used = np.zeros(count, bool)
    is_used[faces[faces < count]] = True
    used = np.flatnonzero(is_used)
    number = np.concatenate([np.cumsum(is_used) - 1, len(used) + np.arange(len(first))])

    def cut(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[used], values[start] * (1 - share) + values[end] * share])

    return replace(
        piece,
        vertices=cut(piece.vertices),
        weights=cut(piece.weights),
        coords=cut(piece.coords),
        faces=number[faces].astype(np.int32),
        part=piece.part[source],
        surface=piece.surface[source],
    )


def rigid(
    vertices: np.ndarray, faces: np.ndarray, part: int, surface: Surface, segment: str, smooth: bool = True
) -> Piece:
    """A solid thing that moves with one segment.

    Textures are looked up in its rest position.
    """
    weights = np.zeros((len(vertices), len(SEGMENTS)), dtype=np.float32)
    weights[:, SEGMENT[segment]] = 1
    return Piece(
        vertices=vertices.astype(np.float32),
        weights=weights,
        faces=faces.astype(np.int32),
        part=np.full(len(faces), part, dtype=np.uint8),
        surface=np.zeros(len(faces), dtype=np.int16),
        coords=vertices.astype(np.float32),
        surfaces=(surface,),
        smooth=smooth,
    )


def grid_faces(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Triangles of a lattice of rows and columns.

    Vertex (r, c) has number r * columns + c. closed: joins the last column to the first.
    """
    lattice = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    r, c = lattice[0].ravel(), lattice[1].ravel()
    n = (c + 1) % columns
    a, b, d, e = r * columns + c, r * columns + n, (r + 1) * columns + c, (r + 1) * columns + n
    return np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, e], axis=1)]).astype(np.int32)


def ellipsoid(
    centre: Sequence[float] | np.ndarray, radii: Sequence[float], rows: int = 9, columns: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """-> vertices [n, 3], faces. Poles on z."""
    tilt, turn = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rows), np.arange(columns) * 2 * np.pi / columns, indexing="ij"
    )
    unit = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], axis=-1).reshape(-1, 3)
    return (np.asarray(centre) + unit * np.asarray(radii)).astype(np.float32), grid_faces(rows, columns, closed=True)


def box(
    centre: Sequence[float] | np.ndarray, sizes: Sequence[float], round_: float = 0.25
) -> tuple[np.ndarray, np.ndarray]:
    """A box with soft edges, as a superellipsoid.

    sizes: full lengths. round_: 0 = sharp, 1 = ellipsoid.
    """
    vertices, faces = ellipsoid((0, 0, 0), (1, 1, 1), 17, 28)
    vertices = np.sign(vertices) * power(np.abs(vertices), max(round_, 0.05))
    return (np.asarray(centre) + vertices * np.asarray(sizes) / 2).astype(np.float32), faces


def strip(path: np.ndarray, wide: np.ndarray, thick: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A ribbon along path [n, 3], such as a strap or a cord.

    wide: half-width vectors [n, 3]. thick: height by which its middle is raised.
    """
    vertices = np.stack([path - wide, path + thick, path + wide], axis=1).reshape(-1, 3)
    return vertices.astype(np.float32), grid_faces(len(path), 3)
