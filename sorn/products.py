"""Products of vectors whose sums do not depend on their shape.

BLAS chooses how it sums by the shape of its factors. Here entry i, j of a product depends on row i and row j alone, so
equal rows have equal products wherever they stand.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ROWS = 16
# Both factors of a product are filled up with zeros to a multiple of so many rows: BLAS has other kernels for fewer.

TERMS = 512
# A product is added up from products of so many columns. In longer ones, BLAS chooses by the shape where it interrupts
# a sum, and so how it is rounded.


def filled(rows: int) -> int:
    """The next multiple of ROWS."""
    return rows + -rows % ROWS


def filled_up(vectors: Tensor) -> Tensor:
    """[n, D] -> [m, D], the next multiple of ROWS; the rows beyond n are zero."""
    more = filled(len(vectors)) - len(vectors)
    return functional.pad(vectors, (0, 0, 0, more)) if more else vectors


def product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """a @ b.T of [m, D] and [n, D], written to `out` [m, n].

    m, n: multiples of ROWS. `out` may be on another device.
    """
    total = out if a.device == out.device else torch.empty(out.shape, device=a.device)
    torch.mm(a[:, :TERMS], b[:, :TERMS].T, out=total)
    for first in range(TERMS, a.shape[1], TERMS):
        total.addmm_(a[:, first : first + TERMS], b[:, first : first + TERMS].T)
    if total is not out:
        out.copy_(total)
