"""Products, powers and angles against numpy's, and that SynPed has no others."""

import ast
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import synped
from pipeline.datasets.synped.elementary import arctan2, exp, norm, power, product

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


@pytest.mark.parametrize("shapes", [((5, 2), (3, 4)), ((5, 4), (3,)), ((3,), (2,))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="shapes"):
        product(*(np.ones(shape) for shape in shapes))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_angles_and_powers_are_those_of_numpy(kind):
    rng = np.random.default_rng(2)
    y, x = rng.standard_normal((2, 4, 5)).astype(kind)
    y[0, 0] = 0
    precision = 4 * float(np.finfo(kind).eps)
    assert arctan2(y, x).dtype == power(np.abs(y), 0.7).dtype == kind
    assert arctan2(y[:, ::2], x[:, ::2]) == pytest.approx(np.arctan2(y, x)[:, ::2], rel=precision)
    assert power(np.abs(y), 0.7) == pytest.approx(np.abs(y) ** kind(0.7), rel=precision)
    assert power(np.abs(y.T), 60) == pytest.approx(np.abs(y.T).astype(np.float64) ** 60, rel=precision)
    assert exp(x.astype(np.float64)) == pytest.approx(np.exp(x.astype(np.float64)), rel=1e-15)


# Functions of numpy whose bits differ between CPUs with AVX2 and AVX-512, or between those of BLAS.
OTHERS = {"dot", "vdot", "inner", "outer", "matmul", "tensordot", "multi_dot", "solve", "inv", "lstsq", "svd", "eigh"}
UNSTEADY = {"arctan2", "arctan", "power", "float_power", "cbrt", "exp2", "log2", "log10"}


def is_plain_power(node):
    """Squares are products, and what has only constants has one value."""
    constant = isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)
    return constant or (isinstance(node.right, ast.Constant) and node.right.value == 2)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_in_synped_has_other_bits_on_another_cpu(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}: take it from elementary.py"
        assert not isinstance(node, ast.MatMult), where
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            assert is_plain_power(node), where
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in OTHERS, where
            of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
            assert not (of_numpy and node.func.attr in UNSTEADY), where
            of_rows = any(keyword.arg == "axis" for keyword in node.keywords)
            assert ast.unparse(node.func) != "np.linalg.norm" or of_rows, where
