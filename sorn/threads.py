"""Threads that share the work of one step.

Each has one torch thread. They compute side by side and do not wait for each other inside an operation, so that a busy
core slows its own thread only. Each has its own products: their sums do not depend on the number of threads.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Part = TypeVar("Part")

_pools: dict[int, ThreadPoolExecutor] = {}
# By their number of threads.

_own = threading.local()
# Whether this thread has its one torch thread.


def count() -> int:
    """Number of threads that share work.

    It is that of torch, and 1 where torch is not imported.
    """
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else 1


def share(begin: Callable[[], Callable[[Part], None]], parts: Sequence[Part], most: int = 0) -> None:
    """Work on all parts in several threads.

    begin: called once in each thread; returns what is called for every part that the thread takes. most: threads at the
    most; 0 for no other limit than `count`. With one thread it is the calling one. After an error or an interrupt no
    further part is begun, and it is raised when all threads have ended.
    """
    rest = iter(parts)
    threads = min(count(), len(parts), most or len(parts))

    def some() -> None:
        try:
            work = begin()
            for part in rest:
                work(part)
        except BaseException:
            deque(rest, maxlen=0)
            raise

    if threads <= 1:
        some()
        return
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, "sorn")
    before, pool = count(), _pools[threads]
    running = [pool.submit(_with_one_torch_thread, some) for _ in range(threads)]
    try:
        wait(running)
    finally:
        deque(rest, maxlen=0)
        wait(running)
        sys.modules["torch"].set_num_threads(before)
    for one in running:
        one.result()


def share_rows(work: Callable[[int, int], None], rows: int, fewest: int = 1) -> None:
    """Run `work(first, last)` for slices of all rows, one per thread.

    fewest: rows that are worth a thread.
    """
    pieces = max(1, min(count(), rows // max(1, fewest)))
    share(lambda: lambda one: work(*one), [(rows * k // pieces, rows * (k + 1) // pieces) for k in range(pieces)])


def _with_one_torch_thread(work: Callable[[], None]) -> None:
    """The work, in a thread of a pool.

    The number of torch threads that it sets holds for threads that begin later, too: `share` sets it back when its
    threads have ended.
    """
    if not getattr(_own, "set", False):
        use_one_torch_thread()
        _own.set = True
    work()


def use_one_torch_thread() -> None:
    """Initializer of a pool's threads that sets one torch thread each.

    OpenMP keeps its number of threads per thread. Torch gives a thread the number that any thread has set last when it
    first asks; so it asks first (findings/torch_threads_of_a_worker.sh).
    """
    if torch := sys.modules.get("torch"):
        torch.get_num_threads()
        torch.set_num_threads(1)


# A forked process has no threads.
os.register_at_fork(after_in_child=_pools.clear)
