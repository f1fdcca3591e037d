"""Torch threads of a training beside other programs on its cores.

The threads of a training wait for each other in every layer, and spin meanwhile. Where another program takes one of
their cores, all of them wait for the thread that has lost it: two threads on two cores trained at a fifth of their rate
beside one other program. With a thread less the training keeps the other cores. Reads what the kernel counts in /proc.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import torch

from pipeline.runtime import distributed

WINDOW = 2.0  # seconds between two looks
TAKEN = 0.4  # threads that wait for a core, on average; with fewer, a thread less costs more than it gains
FREE = 0.8  # idle cores
LASTING = 4.0  # seconds for which cores are taken, or free, before anything changes: not for a moment of other work
SOON = 20.0  # seconds after a thread was added in which losing it again means that it was too early
LONGEST = 32.0  # seconds for which cores are free before another attempt, at most
FIXED = "OMP_NUM_THREADS"  # whoever sets it has chosen
TASKS, CORES = Path("/proc/self/task"), Path("/proc/stat")
NANOSECONDS = 1e-9


@dataclass(frozen=True)
class Usage:
    """Seconds since some moment.

    waited: by the threads of this process for a core. idle: of the cores that it may use.
    """

    waited: float
    idle: float


def read_usage() -> Usage | None:
    """Usage so far, None on a system that does not count it."""
    try:
        tasks = [text for task in TASKS.iterdir() if (text := _read(task / "schedstat"))]
        own = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in CORES.read_text(encoding="ascii").splitlines()]
        idle = sum(int(fields[4]) for fields in lines if fields[0] in own)
        waited = sum(int(text.split()[1]) for text in tasks)
        return Usage(waited * NANOSECONDS, idle / os.sysconf("SC_CLK_TCK")) if tasks else None
    except (OSError, AttributeError, ValueError, IndexError):
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:  # a thread that has ended meanwhile
        return ""


class CoreShare:
    """Number of torch threads of a training, fewer while others take cores.

    A context manager: what comes after the stage has all threads again. stage: whose messages are shown. device: of
    the computation; only the cores of a CPU are shared. threads: now. The last bits of sums depend on their number, so
    a number that OMP_NUM_THREADS gives is kept.
    """

    def __init__(
        self,
        stage: str,
        device: torch.device,
        usage: Callable[[], Usage | None] = read_usage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage, self.most = stage, torch.get_num_threads()
        if device.type == "cpu" and distributed.here().world > 1:
            self.most = distributed.cores()
            torch.set_num_threads(self.most)
        self.threads = self.most
        self._usage, self._clock = usage, clock
        self._shared = device.type == "cpu" and self.most > 1 and not os.environ.get(FIXED)
        self._since, self._last = clock(), usage() if self._shared else None
        self._taken = self._free = 0.0  # seconds
        self._patience = LASTING
        self._added = -SOON
        self._told = False

    def __enter__(self) -> CoreShare:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.threads != self.most:
            self._set(self.most)

    def adapt(self) -> None:
        """Another number of threads, where cores are taken or free.

        Called between steps; looks at the cores every WINDOW seconds.
        """
        now = self._clock()
        if not self._shared or now - self._since < WINDOW:
            return
        usage, last, span = self._usage(), self._last, now - self._since
        self._since, self._last = now, usage
        if usage is None or last is None:
            return
        waiting, idle = (usage.waited - last.waited) / span, (usage.idle - last.idle) / span
        self._taken = self._taken + span if waiting > TAKEN else 0.0
        self._free = self._free + span if idle > FREE and not self._taken else 0.0
        if self._taken >= LASTING and self.threads > 1:
            self._patience = min(2 * self._patience, LONGEST) if now - self._added < SOON else LASTING
            self._set(self.threads - max(1, round(waiting)))
        elif self._free >= self._patience and self.threads < self.most:
            self._added = now
            self._set(self.threads + int(idle + 1 - FREE))

    def _set(self, threads: int) -> None:
        self.threads = min(max(threads, 1), self.most)
        self._taken = self._free = 0.0
        torch.set_num_threads(self.threads)
        if not self._told:
            self._told = True
            distributed.say(
                f"{self.stage}: other programs compute on these cores: goes on with {self.threads} of {self.most} "
                f"threads, and with more when cores are free; set {FIXED} for weights that are equal bit for bit"
            )
