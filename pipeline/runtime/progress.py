"""Progress of a long step: a bar, or lines in a log.

A terminal shows a bar; a log gets a plain line now and then. Writes to stderr only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LOG_EVERY_SECONDS = 10.0


class Progress:
    """Progress display, used as a context manager.

    `done` counts up to `total`; `note` is shown behind the numbers. quiet: show nothing, because another process shows
    it.
    """

    def __init__(self, total: int, label: str, unit: str = "images", done: int = 0, quiet: bool = False) -> None:
        self.total, self.label, self.unit, self.quiet = total, label, unit, quiet
        self.first = self.done = done
        self.start = self.last = time.monotonic()
        self.bar = (
            tqdm(total=total, initial=done, desc=label, unit=" " + unit, file=sys.stderr, smoothing=0.1)
            if sys.stderr.isatty() and not quiet
            else None
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, units: int = 1, note: str = "") -> None:
        units = min(units, self.total - self.done)
        self.done += units
        if self.quiet:
            return
        if self.bar is not None:
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(units)
            return
        now = time.monotonic()
        if now - self.last >= LOG_EVERY_SECONDS or self.done == self.total:
            rate = (self.done - self.first) / max(now - self.start, 1e-9)
            left = (self.total - self.done) / max(rate, 1e-9)
            line = f"{self.label}: {self.done}/{self.total} {self.unit}, {rate:.1f} {self.unit}/s, {left:.0f} s left"
            print(f"{line}, {note}" if note else line, file=sys.stderr, flush=True)
            self.last = now


def counted(done: Iterable[int], total: int, label: str, unit: str = "images") -> None:
    """Run of a step, with a display of its progress.

    done: numbers of finished units.
    """
    with Progress(total, label, unit) as shown:
        for units in done:
            shown.advance(units)


def progress(items: Iterable[Item], total: int, label: str, unit: str = "images", step: int = 1) -> Iterator[Item]:
    """The items, with a display of their progress.

    step: number of units that one item stands for.
    """
    with Progress(total, label, unit) as shown:
        for item in items:
            yield item
            shown.advance(step)
