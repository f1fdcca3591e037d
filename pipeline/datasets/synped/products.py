"""Matrix products with the same bits on every CPU.

numpy leaves products to BLAS, which adds in another order, or with fused operations, from one kind of CPU to the next.
A last bit decides here and there whether a ray meets a triangle. Ours add in the order of the columns.
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


def product(first: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Product of [..., k] with [k] or [k, m], and so on, from left to right.

    In the wider of their types, float32 or float64.
    """
    for second in others:
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
