"""Products, powers and angles with the same bits from CPU to CPU.

numpy leaves matrix products to BLAS, which adds in another order, or with fused operations, from one kind of CPU to the
next, and has other powers, exponentials and angles of float64 where there is AVX-512. A last bit decides here and there
whether a ray meets a triangle. Products here add in the order of the columns; the rest is the system's library, which
is the same for every CPU with fused operations. What stays in numpy is the same from AVX2 on: sines, and exponentials
of float32.
"""

from __future__ import annotations

import math

import numpy as np

from sorn.compiled import compiled


@compiled("f4[:, ::1](f4[:, :], f4[:, :])", "f8[:, ::1](f8[:, :], f8[:, :])")
def rows_by_columns(first, second):  # type: ignore[no-untyped-def]
    """Product [n, m] of matrices [n, k] and [k, m]."""
    result = np.empty((len(first), second.shape[1]), first.dtype)
    if len(second) == 3:  # nearly always, and twice as fast written out
        for i in range(len(first)):
            x, y, z = first[i, 0], first[i, 1], first[i, 2]
            for j in range(second.shape[1]):
                result[i, j] = x * second[0, j] + y * second[1, j] + z * second[2, j]
        return result
    for i in range(len(first)):
        for j in range(second.shape[1]):
            total = first[i, 0] * second[0, j]
            for k in range(1, len(second)):
                total += first[i, k] * second[k, j]
            result[i, j] = total
    return result


@compiled("f4[::1](f4[::1], f4[::1])", "f8[::1](f8[::1], f8[::1])")
def angles(y, x):  # type: ignore[no-untyped-def]
    """Angle of each (x, y), radians. y, x: [n]."""
    result = np.empty_like(y)
    for i in range(len(y)):
        result[i] = math.atan2(np.float64(y[i]), np.float64(x[i]))
    return result


@compiled("f4[::1](f4[::1], f8)", "f8[::1](f8[::1], f8)")
def powers(base, exponent):  # type: ignore[no-untyped-def]
    """Each number to the same exponent. base: [n]."""
    result = np.empty_like(base)
    for i in range(len(base)):
        result[i] = math.pow(np.float64(base[i]), exponent)
    return result


@compiled("f8[::1](f8[::1])")
def exponentials(values):  # type: ignore[no-untyped-def]
    """e to each number. values: [n]."""
    result = np.empty_like(values)
    for i in range(len(values)):
        result[i] = math.exp(values[i])
    return result


def product(first: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Product of [..., k] with [k] or [k, m], and so on, from left to right.

    In the wider of their types, float32 or float64. Raises ValueError for shapes that do not fit.
    """
    for second in others:
        if first.shape[-1] != len(second):
            raise ValueError(f"no product of shapes {first.shape} and {second.shape}")
        if first.dtype != second.dtype:
            dtype = np.result_type(first, second)
            first, second = first.astype(dtype), second.astype(dtype)
        if first.ndim == second.ndim == 2:
            first = rows_by_columns(first, second)
        else:
            left, right = first.reshape(-1, first.shape[-1]), second.reshape(len(second), -1)
            first = rows_by_columns(left, right).reshape(first.shape[:-1] + second.shape[1:])
    return first


def norm(vector: np.ndarray) -> float:
    """Length of a vector [k]."""
    return math.sqrt(sum(value * value for value in vector.tolist()))


def arctan2(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Angle of each (x, y), radians.

    y, x: of one shape, float32 or float64.
    """
    dtype = np.result_type(y, x)
    flat = (np.ascontiguousarray(values, dtype).ravel() for values in (y, x))
    return angles(*flat).reshape(y.shape)  # type: ignore[no-any-return]


def power(base: np.ndarray, exponent: float) -> np.ndarray:
    """Each number of `base` to `exponent`, float32 or float64."""
    return powers(np.ascontiguousarray(base).ravel(), exponent).reshape(base.shape)  # type: ignore[no-any-return]


def exp(values: np.ndarray) -> np.ndarray:
    """e to each number, float64."""
    return exponentials(np.ascontiguousarray(values).ravel()).reshape(values.shape)  # type: ignore[no-any-return]
