"""Kernels over meshes against plain numpy, bit for bit."""

import numpy as np
import pytest

from pipeline.datasets.synped import mesh_kernels as kernels


@pytest.fixture
def mesh():
    """40 vertices, of which the last has no face, and 70 faces."""
    rng = np.random.default_rng(0)
    vertices = rng.standard_normal((40, 3)).astype(np.float32)
    return vertices, rng.integers(0, 39, (70, 3)).astype(np.int32)


def test_normals_are_weighted_by_area_and_have_numpys_bits(mesh):
    vertices, faces = mesh
    corners = vertices[faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros((40, 3))
    for face, cross in zip(faces, crosses, strict=True):
        for corner in face:
            sums[corner] += cross
    assert np.array_equal(kernels.face_crosses(vertices, faces), crosses)
    assert np.array_equal(kernels.normal_sums(vertices, faces), sums)
    flat, rounded = kernels.mesh_normals(vertices, faces)
    area = np.maximum(np.sqrt(np.einsum("ij,ij->i", crosses, crosses)), np.float32(1e-12))
    assert np.array_equal(flat, crosses / area[:, None])
    length = np.maximum(np.linalg.norm(sums, axis=1), 1e-12)
    assert rounded == pytest.approx(sums / length[:, None], abs=1e-7)
    assert (rounded[39] == 0).all()


def test_groups_are_numbered_by_their_first_members():
    keys = np.array([7, -3, 7, 1 << 60, -3, 0, 1 << 60], np.int64)
    group, first = kernels.grouped(keys)
    assert group.tolist() == [0, 1, 0, 2, 1, 3, 2]
    assert first.tolist() == [0, 1, 3, 5]
    many = np.random.default_rng(0).integers(0, 500, 4000)
    group, first = kernels.grouped(many)
    assert len(first) == len(np.unique(many))
    assert np.array_equal(many[first][group], many)
    assert (np.diff(first) > 0).all()


def test_segments_hang_on_their_parents_at_the_joint_they_share():
    rng = np.random.default_rng(4)
    rotations = np.linalg.qr(rng.standard_normal((4, 3, 3)))[0]
    pivots, parents = rng.standard_normal((4, 3)), np.array([-1, 0, 1, 0])
    found = kernels.chained(rotations, pivots, parents)
    assert found.dtype == np.float32 and np.array_equal(found[:, :, :3], rotations.astype(np.float32))
    for segment, parent in enumerate(parents):
        place = pivots[segment]
        if parent >= 0:
            place = found[parent, :, :3] @ pivots[segment] + found[parent, :, 3]
        moved = found[segment, :, :3] @ pivots[segment] + found[segment, :, 3]
        assert moved == pytest.approx(place, abs=1e-5)


def test_blended_vertices_have_the_bits_of_written_out_sums():
    rng = np.random.default_rng(0)
    vertices, transforms = (rng.standard_normal(shape).astype(np.float32) for shape in ((50, 3), (5, 3, 4)))
    segments, weights = rng.integers(0, 5, (50, 4)).astype(np.int32), rng.random((50, 4), dtype=np.float32)
    x, y, z = (vertices[:, axis, None] for axis in range(3))
    expected = np.zeros_like(vertices)
    for bone in range(4):
        m = transforms[segments[:, bone]]
        expected += weights[:, bone, None] * (m[:, :, 0] * x + m[:, :, 1] * y + m[:, :, 2] * z + m[:, :, 3])
    assert np.array_equal(kernels.blend(vertices, segments, weights, transforms), expected)


def test_numbers_are_read_as_python_reads_them():
    text = b"0 -.03 2.78 .133\r\n12 -1.027 0 -0.1340\n\t7"
    assert kernels.numbers(np.frombuffer(text, np.uint8).copy()).tolist() == [float(word) for word in text.split()]
    rng = np.random.default_rng(0)
    words = [f"{value:.{places}f}" for value in rng.normal(0, 30, 300) for places in (0, 3, 9)]
    read = kernels.numbers(np.frombuffer(" ".join(words).encode(), np.uint8).copy())
    assert read.tolist() == [float(word) for word in words]
    for wrong in (b"1e5", b"1 nan", b"# 1"):
        with pytest.raises(ValueError, match="plain decimal"):
            kernels.numbers(np.frombuffer(wrong, np.uint8).copy())


def test_displacements_move_their_rows_alone():
    vertices = np.zeros((4, 3), np.float32)
    kernels.displace(vertices, np.array([2, 0]), np.array([[1, 2, 3], [4, 5, 6]], np.float32), 0.5)
    assert vertices.tolist() == [[2, 2.5, 3], [0, 0, 0], [0.5, 1, 1.5], [0, 0, 0]]


def test_extent_is_the_box():
    points = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    low, high = kernels.extent(points)
    assert np.array_equal(low, points.min(axis=0)) and np.array_equal(high, points.max(axis=0))


def test_cubes_of_two_surfaces_have_different_keys():
    vertices = np.array([[0, 0, 0], [0.04, 0, 0], [0.11, 0, 0], [0.02, 0, 0], [0, 0, 0.25]], np.float32)
    faces, surface = np.array([[0, 1, 2], [3, 3, 4]], np.int32), np.array([0, 1], np.int16)
    keys = kernels.cube_keys(vertices, faces, surface, 0.1)
    assert keys[0] == keys[1]
    assert len({*keys.tolist()}) == 4


def test_means_of_groups():
    vertices = np.array([[0, 0, 0], [1, 2, 3], [3, 2, 1]], np.float32)
    assert kernels.group_means(vertices, np.array([0, 1, 1], np.int32), 2).tolist() == [[0, 0, 0], [2, 2, 2]]


def test_faces_that_lose_a_corner_go():
    faces = np.array([[0, 1, 2], [0, 1, 3], [2, 3, 4]], np.int32)
    merged, source = kernels.merged_faces(faces, np.array([7, 8, 9, 8, 6], np.int32))
    assert merged.tolist() == [[7, 8, 9], [9, 8, 6]]
    assert source.tolist() == [0, 2]
