"""Cutting cloth: areas, new vertices and interpolated weights known in closed form."""

import numpy as np

from pipeline.datasets.synped.body import SEGMENTS
from pipeline.datasets.synped.mesh import Surface
from pipeline.datasets.synped.piece import Piece, clip, grid_faces


def _square() -> Piece:
    """The unit square in x and y, two triangles; weights run from segment 0 at x = 0 to segment 1 at x = 1."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)
    weights = np.zeros((4, len(SEGMENTS)), dtype=np.float32)
    weights[:, 0], weights[:, 1] = 1 - vertices[:, 0], vertices[:, 0]
    return Piece(
        vertices=vertices,
        weights=weights,
        faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
        part=np.array([2, 5], dtype=np.uint8),
        surface=np.zeros(2, dtype=np.int16),
        coords=10 * vertices,
        surfaces=(Surface(lambda coords: coords),),
    )


def _area(piece: Piece) -> float:
    corners = piece.vertices[piece.faces]
    return float(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    )


def test_a_cut_is_straight_and_exact() -> None:
    square = _square()
    left = clip(square, 0.3 - square.vertices[:, 0])
    assert np.isclose(_area(left), 0.3)
    assert np.isclose(left.vertices[:, 0].max(), 0.3)
    right = clip(square, square.vertices[:, 0] - 0.3)
    assert np.isclose(_area(right), 0.7)


def test_new_vertices_lie_between_the_old_in_every_respect() -> None:
    square = _square()
    left = clip(square, 0.25 - square.vertices[:, 0])
    border = np.isclose(left.vertices[:, 0], 0.25)
    assert border.sum() == 3  # two outer edges and the diagonal, each once: neighbours share them
    np.testing.assert_allclose(left.weights[border, 1], 0.25)
    np.testing.assert_allclose(left.coords[border, 0], 2.5)


def test_faces_keep_their_part_and_orientation() -> None:
    square = _square()
    cut = clip(square, 0.6 - square.vertices[:, 1])
    corners = cut.vertices[cut.faces]
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0).all()
    centres = corners.mean(axis=1)
    np.testing.assert_array_equal(cut.part, np.where(centres[:, 0] > centres[:, 1], 2, 5))


def test_nothing_and_everything() -> None:
    square = _square()
    assert len(clip(square, -np.ones(4)).faces) == 0
    assert np.isclose(_area(clip(square, np.ones(4))), 1.0)


def test_lattices_close() -> None:
    assert len(grid_faces(3, 4)) == 2 * 3 * 2
    closed = grid_faces(3, 4, closed=True)
    assert len(closed) == 2 * 4 * 2
    edges = np.sort(np.concatenate([closed[:, [0, 1]], closed[:, [1, 2]], closed[:, [2, 0]]]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert sorted(set(counts.tolist())) == [1, 2]
    assert (counts == 1).sum() == 8  # only the two rims are open
