"""Runner of a check.

The rows run one after another, each in a process of its own and within the time that is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.tools.gpu_check.outcome import FAIL, NO_TIME, PASS, Outcome
from pipeline.tools.gpu_check.plan import CheckRow
from pipeline.tools.gpu_check.row import command, write_setting
from pipeline.tools.gpu_check.setting import CheckSetting

LEAST = 1 / 3  # of a row's time: with less a row is not begun
SHOWN = 15  # lines of a log that a failure shows


@dataclass(frozen=True)
class RowResult:
    """One row with its outcome.

    seconds: that it took. log: last lines of its messages, of a failure only.
    """

    row: CheckRow
    outcome: Outcome
    seconds: float
    log: tuple[str, ...] = ()


def run_rows(
    rows: Iterable[CheckRow], setting: CheckSetting, seconds: float, say: Callable[[RowResult], None]
) -> list[RowResult]:
    """Results of all rows, in their order.

    seconds: for all rows together. say: called with each result when it is there. After a row that is needed and
    fails, no other one begins.
    """
    write_setting(setting)
    end, results, lacking = time.monotonic() + seconds, [], ""
    for number, row in enumerate(rows):
        left = end - time.monotonic()
        if lacking:
            result = RowResult(row, Outcome(NO_TIME, reason=f"it needs the row '{lacking}'"), 0.0)
        elif left < LEAST * row.seconds:
            reason = f"{max(left, 0.0):.0f} s were left of {seconds:.0f}, and it takes up to {row.seconds:.0f}"
            result = RowResult(row, Outcome(NO_TIME, reason=reason), 0.0)
        else:
            result = run_row(row, setting, min(row.seconds, left), setting.folder / f"row-{number:02d}.log")
        if row.needed and result.outcome.verdict != PASS:
            lacking = lacking or row.name
        results.append(result)
        say(result)
    return results


def run_row(row: CheckRow, setting: CheckSetting, seconds: float, log: Path) -> RowResult:
    """Result of one row.

    seconds: until its processes are killed. log: file for its messages.
    """
    out = log.with_suffix(".json")
    start = time.monotonic()
    with open(log, "wb") as file, _group(command(row.call, setting.folder, out), file.fileno()) as process:
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
    spent = time.monotonic() - start
    if code is None and seconds < row.seconds:
        outcome = Outcome(NO_TIME, reason=f"it was ended after {spent:.0f} s, the rest of the time for all rows")
    elif code is None:
        outcome = Outcome(FAIL, reason=f"it was ended after {spent:.0f} s, the most that it may take")
    elif code or not out.is_file():
        outcome = Outcome(FAIL, reason=f"its process ended with exit code {code}, without an outcome")
    else:
        outcome = Outcome(**json.loads(out.read_text(encoding="utf-8")))
    return RowResult(row, outcome, spent, _tail(log) if outcome.verdict == FAIL else ())


@contextlib.contextmanager
def _group(words: list[str], log: int) -> Iterator[subprocess.Popen[bytes]]:
    """Process that is killed at the end with all that it has started."""
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        for number in descendants(process.pid):  # torchrun starts its processes in groups of their own
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def descendants(process: int) -> list[int]:
    """Numbers of all processes that a process and its children have started.

    None where the system has no /proc.
    """
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found: list[int] = []
    waiting = [process]
    while waiting:
        started = children.get(waiting.pop(), [])
        found += started
        waiting += started
    return found


def _tail(log: Path) -> tuple[str, ...]:
    lines = [line.rstrip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return tuple([line for line in lines if line][-SHOWN:])
