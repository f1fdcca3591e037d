"""Progress of a long step: a bar on a terminal, a plain line now and then in a log. Writes to stderr only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LOG_EVERY_SECONDS = 10.0


def progress(items: Iterable[Item], total: int, label: str, unit: str = "images", step: int = 1) -> Iterator[Item]:
    """Yield the items, showing how far they are. `step`: how many units one item stands for."""
    if sys.stderr.isatty():
        with tqdm(total=total, desc=label, unit=" " + unit, file=sys.stderr, smoothing=0.1) as bar:
            for item in items:
                yield item
                bar.update(min(step, total - bar.n))
        return
    start = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done = min(done + step, total)
        now = time.monotonic()
        if now - last >= LOG_EVERY_SECONDS or done == total:
            rate = done / max(now - start, 1e-9)
            left = (total - done) / max(rate, 1e-9)
            print(f"{label}: {done}/{total} {unit}, {rate:.1f} {unit}/s, {left:.0f} s left", file=sys.stderr, flush=True)
            last = now
