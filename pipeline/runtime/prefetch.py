"""Results computed by threads before they are needed.

Opens no file.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

AHEAD = 2  # results per thread, waiting or being computed: enough for every thread, and little memory


def ahead(
    function: Callable[..., Result],
    arguments: Iterable[tuple[Any, ...]],
    threads: int,
    initializer: Callable[[], None] | None = None,
) -> Generator[Result, None, None]:
    """Results of function(*arguments) in order, computed ahead by threads.

    At most AHEAD results per thread are computed before the caller takes them. With 0 threads each result is computed
    when the caller asks for it. The iterable of arguments is read by the caller's thread. initializer: called first by
    each thread. An error is raised at its place in the order. Close the generator (`closing`) where the loop may end
    early: calls that have not started are then dropped, and the threads end.
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
