"""Threads that share the work of one step.

Each has one torch thread. They compute side by side and do not wait for each other inside an operation, so that a busy
core slows its own thread only. Each has its own products: their sums do not depend on the number of threads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_pool: ThreadPoolExecutor | None = None


def count() -> int:
    """Number of threads that share work.

    It is that of torch, and 1 where torch is not imported.
    """
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 1


def share(work: Callable[[], None], parts: int) -> None:
    """Run `work` in every thread at once.

    It takes parts of the work until none is left. parts: how many there are; with one, only the calling thread works.
    Raises what a thread raised.
    """
    threads = min(count(), parts)
    if threads <= 1:
        work()
        return
    torch = sys.modules["torch"]
    before = torch.get_num_threads()
    try:
        for done in [_threads().submit(work) for _ in range(threads)]:
            done.result()
    finally:
        torch.set_num_threads(before)  # a thread that is new has set what threads of others begin with


def share_rows(work: Callable[[int, int], None], rows: int, fewest: int = 1) -> None:
    """Run `work(first, last)` for slices of all rows, one per thread.

    fewest: rows that are worth a thread.
    """
    pieces = max(1, min(count(), rows // max(1, fewest)))
    slices = iter([(rows * k // pieces, rows * (k + 1) // pieces) for k in range(pieces)])

    def some() -> None:
        for first, last in slices:
            work(first, last)

    share(some, pieces)


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(64, os.cpu_count() or 1), "sorn", _one_torch_thread)  # started when needed
    return _pool


def _one_torch_thread() -> None:
    """Initializer of a thread that computes with one torch thread.

    OpenMP keeps its number of threads per thread. Torch gives a thread the number that any thread has set last when it
    first asks; so it asks first (findings/torch_threads_of_a_worker.sh).
    """
    torch = sys.modules["torch"]
    torch.get_num_threads()
    torch.set_num_threads(1)


def _forget() -> None:
    """A forked process has no threads."""
    global _pool
    _pool = None


os.register_at_fork(after_in_child=_forget)
