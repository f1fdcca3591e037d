"""Compilation of kernels: loops over rays, pixels and similarities as machine code.

A kernel computes in the order and the precision that its source says: no fast mathematics, no fused multiply-add, one
thread. So its results have the same bits on every CPU. It leaves the interpreter lock, so that several threads can each
run one: it touches its arrays only. Sines and exponentials stay in numpy: those of a compiler come from the system's
library. numba takes half a second to import: modules with kernels are imported where one is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# Signatures are written out: every process compiles those of a kernel in the same order, so that several may fill the
# cache at once.


def compiled(*signatures: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that compiles a function for one numba signature or more.

    The machine code is kept beside the source, or in the user's cache folder (or NUMBA_CACHE_DIR) where that cannot be
    written. Where nothing can be written, every process compiles for itself. The cache does not see a change of the
    options below: remove its files then (findings/numba_cache_options.sh).
    """

    def compile_(function: Callable[..., Any]) -> Callable[..., Any]:
        options: dict[str, Any] = {"fastmath": False, "error_model": "numpy", "nogil": True}
        try:
            return numba.njit(list(signatures), cache=True, **options)(function)
        except (RuntimeError, OSError):  # no folder for the cache, or no room in it
            return numba.njit(list(signatures), **options)(function)

    return compile_
