"""Matrix products against numpy's, and that SynPed has no others."""

import ast
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import synped
from pipeline.datasets.synped.products import norm, product

SOURCES = sorted(Path(synped.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((5, 3), (3,)), ((5, 3), (3, 4)), ((5, 4), (4, 2)), ((2, 6, 3), (3,)), ((3, 3), (3,))]
)
@pytest.mark.parametrize("types", [("f4", "f4"), ("f4", "f8"), ("f8", "f8")])
def test_products_are_those_of_numpy(shapes, types):
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal(shape).astype(kind) for shape, kind in zip(shapes, types, strict=True))
    found, expected = product(first, second), first @ second
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_products_add_from_the_first_column_to_the_last():
    """Another order, or one rounding for two operations, gives 0 or 1."""
    assert product(np.array([1e8, 1.0, -1e8], np.float32), np.ones(3, np.float32)) == 0
    assert product(np.array([1e8, 1.0, -1e8, 0.5], np.float32), np.ones(4, np.float32)) == 0.5
    a = np.float32(1 + 2**-12)
    rounded = np.float32(a * a)
    assert product(np.array([rounded, a], np.float32), np.array([-1, a], np.float32)) == 0


def test_factors_are_multiplied_from_left_to_right_and_views_are_no_matter():
    rng = np.random.default_rng(1)
    a, b, c = rng.standard_normal((3, 3, 3))
    assert product(a, b, c) == pytest.approx(a @ b @ c)
    assert product(a.T, b[:, ::2]) == pytest.approx(a.T @ b[:, ::2])


def test_the_norm_of_a_vector():
    assert norm(np.array([3.0, 0.0, 4.0])) == 5


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_product_of_synped_is_left_to_blas(path):
    """Its bits differ from one kind of CPU to the next, and so would the pictures."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.MatMult), f"{path.name}: products.product in place of @"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            of_rows = any(keyword.arg == "axis" for keyword in node.keywords)
            assert name not in ("np.dot", "np.matmul", "np.inner", "np.tensordot", "np.outer"), (path.name, node.lineno)
            assert name != "np.linalg.norm" or of_rows, f"{path.name}:{node.lineno}: products.norm of a vector"
