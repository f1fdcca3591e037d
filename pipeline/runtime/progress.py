"""Progress of a long step: a bar, or lines in a log.

A terminal shows a bar; a log gets a plain line now and then. Writes to stderr only.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LOG_EVERY_SECONDS = 10.0
LEAST_SECONDS, LEAST_UNITS = 5.0, 3  # of work after the first unit, before a rate means something
MANY_UNITS = 64  # of which no burst of threads is a large part
_SILENT = [False]  # whether no step shows its progress
MOST_MARKS = 128  # moments of the past; more are thinned
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}{postfix}]"


class Pace:
    """Units per second of a step.

    The first units wait for caches, compilers and whatever else happens once, and come in bursts where threads work
    ahead. So there is no rate before LEAST_UNITS and LEAST_SECONDS after the first unit, and then it is the mean since
    the first unit; where the later half of that time has MANY_UNITS, it is that half's.
    """

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []  # some moments of the past, and the units finished then
        self._gap = 0.0  # seconds between two of them, at least
        self._now = (0.0, 0)

    def mark(self, now: float, done: int) -> None:
        """Note the units that are finished at a moment.

        now: seconds of any clock.
        """
        self._now = now, done
        if not self._marks or now >= self._marks[-1][0] + self._gap:
            self._marks.append(self._now)
        if len(self._marks) > MOST_MARKS:
            self._marks = self._marks[::2]
            self._gap = (self._marks[-1][0] - self._marks[0][0]) / len(self._marks)

    @property
    def rate(self) -> float | None:
        """Units per second, or None while that is unknown."""
        (now, done), (start, first) = self._now, self._marks[0] if self._marks else self._now
        if now - start < LEAST_SECONDS or done - first < LEAST_UNITS:
            return None
        middle, before = max(mark for mark in self._marks if mark[0] <= (start + now) / 2)
        if done - before < MANY_UNITS:
            middle, before = start, first
        return (done - before) / (now - middle)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Context in which no step shows its progress."""
    before, _SILENT[0] = _SILENT[0], True
    try:
        yield
    finally:
        _SILENT[0] = before


def spoken(seconds: float) -> str:
    """Duration in words: 50 s, 12 min, 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Progress display, used as a context manager.

    `done` counts up to `total`; `note` is shown behind the numbers. quiet: show nothing, because another process shows
    it.
    """

    def __init__(self, total: int, label: str, unit: str = "images", done: int = 0, quiet: bool = False) -> None:
        self.total, self.label, self.unit, self.quiet = total, label, unit, quiet or _SILENT[0]
        self.first = self.done = done
        self.pace = Pace()
        self.start = self.last = time.monotonic()
        self.bar = (
            tqdm(total=total, initial=done, desc=label, unit=" " + unit, file=sys.stderr, bar_format=BAR)
            if sys.stderr.isatty() and not self.quiet
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
        now = time.monotonic()
        self.pace.mark(now, self.done)
        if self.bar is not None:
            self.bar.set_postfix_str(", ".join(filter(None, (self._pace(now), note))), refresh=False)
            self.bar.update(units)
        elif now - self.last >= LOG_EVERY_SECONDS or self.done == self.total:
            counted = f"{self.label}: {self.done}/{self.total} {self.unit}"
            print(", ".join(filter(None, (counted, self._pace(now), note))), file=sys.stderr, flush=True)
            self.last = now

    def _pace(self, now: float) -> str:
        """Rate and time left, "" while they are unknown; at the end the rate of the whole step."""
        if self.done == self.total:
            return f"{(self.done - self.first) / max(now - self.start, 1e-9):.1f} {self.unit}/s"
        rate = self.pace.rate
        return f"{rate:.1f} {self.unit}/s, {spoken((self.total - self.done) / rate)} left" if rate else ""


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
