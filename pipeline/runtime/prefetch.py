"""Work done by threads ahead of whoever takes its results.

Reads and writes nothing.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

AHEAD = 2  # results per thread that wait or are computed: nobody is idle, and little memory is held


def ahead(
    function: Callable[..., Result],
    arguments: Iterable[tuple[Any, ...]],
    threads: int,
    initializer: Callable[[], None] | None = None,
) -> Generator[Result, None, None]:
    """function(*one) for each one of the arguments, in their order; at most AHEAD per thread more than were taken.

    With 0 threads each is computed when it is asked for. The arguments are drawn by whoever takes the results.
    initializer: called by each thread first. An error is raised in its place of the order. Close it (`closing`) where
    it may be left early: what was not begun is dropped then, and the threads end.
    """
    if threads == 0:
        yield from itertools.starmap(function, arguments)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, initializer=initializer) as pool:
        try:
            for one in arguments:
                waiting.append(pool.submit(function, *one))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
