"""Matrix products with the same bits on every CPU.

numpy leaves products to BLAS, which adds in another order, or with fused operations, from one kind of CPU to the next.
A last bit decides here and there whether a ray meets a triangle. Ours add in the order of the columns.
"""

from __future__ import annotations

import math

import numpy as np

from sorn.compiled import compiled


@compiled("f4[:, ::1](f4[:, ::1], f4[:, ::1])", "f8[:, ::1](f8[:, ::1], f8[:, ::1])")
def rows_by_columns(first, second):  # type: ignore[no-untyped-def]
    """Product [n, m] of matrices [n, k] and [k, m]."""
    result = np.empty((len(first), second.shape[1]), first.dtype)
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
        dtype = np.result_type(first, second)
        left = np.ascontiguousarray(first, dtype).reshape(-1, first.shape[-1])
        right = np.ascontiguousarray(second, dtype).reshape(len(second), -1)
        first = rows_by_columns(left, right).reshape(first.shape[:-1] + second.shape[1:])
    return first


def norm(vector: np.ndarray) -> float:
    """Length of a vector [k]."""
    return math.sqrt(product(vector, vector))
