"""Errors of a full memory, and reuse of freed memory.

torch frees every activation in each step, and LiteRT for each image, and allocates it anew. glibc returns large blocks
to the kernel at once, and the kernel clears their pages before it hands them out again: 100,000 page faults and a tenth
of a core per step of ResNet-50. Opens no file.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import TypeVar

Step = TypeVar("Step")

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
NEVER = 2**31 - 1  # bytes that are free at the end of the heap before it shrinks

# How PyTorch says that a device is full, in lower case: its allocators for the GPU and for the CPU (two wordings), and
# cuDNN and cuBLAS when they ask for memory past the allocator.
FULL = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cudnn_status_alloc_failed",
    "cublas_status_alloc_failed",
)


def keep_freed_memory() -> None:
    """Reuse of freed memory for later tensors of this process.

    Changes nothing on a C library without these options.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, NEVER)


def giving_back(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps; freed memory is given back between them.

    glibc keeps what several threads have freed, up to a hundred megabytes of small arrays. Changes nothing on another C
    library.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: 0)
    trim(0)
    for step in steps:
        yield step
        trim(0)


def is_full(error: RuntimeError | MemoryError) -> bool:
    """Whether an error means that the memory of a device is full."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in FULL)


def first_line(error: Exception) -> str:
    """First line of an error's text, or its kind without a text."""
    return next(iter(str(error).splitlines()), type(error).__name__)
