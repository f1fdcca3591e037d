"""Runner of a grid: one child process per training or evaluation.

Writes a log of each step, and attempts.csv. Fresh steps do not run again. A failure is recorded, and all steps that do
not depend on it still run. Ctrl-C and SIGTERM are passed on to the child, which writes its training state. If the
runner is killed, its child is killed too, and the next run continues from the last training state.
"""

from __future__ import annotations

import csv
import ctypes
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pipeline.runs.result_paths import TablesPaths
from pipeline.runtime import signals
from pipeline.runtime.signals import Interruption
from pipeline.tools.tables.grid import Grid, Step

logger = logging.getLogger(__name__)

COLUMNS = ("started", "experiment", "stage", "seconds", "exit_code", "said")
POLL = 0.5  # seconds between checks for a signal to stop
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)

Run = Callable[[tuple[str, ...], Path, Interruption], int]


@dataclass(frozen=True)
class Failure:
    """Failed or skipped step.

    said: last message of the log, or the reason. log: None for a skipped step.
    """

    step: str
    said: str
    log: Path | None = None

    def text(self) -> str:
        return f"{self.step}: {self.said}" + (f" (see {self.log})" if self.log else "")


@dataclass
class Estimate:
    """Estimate of the remaining time, from the finished steps.

    stale: stage -> number of steps left to run. seconds: stage -> times of its finished steps.
    """

    stale: dict[str, int]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def ran(self, stage: str, seconds: float) -> None:
        self.seconds.setdefault(stage, []).append(seconds)
        self.dropped(stage)

    def dropped(self, stage: str) -> None:
        """Count one step less to run."""
        self.stale[stage] = max(0, self.stale.get(stage, 0) - 1)

    def text(self) -> str:
        left = {stage: number for stage, number in self.stale.items() if number}
        known = {stage: sum(spent) / len(spent) for stage, spent in self.seconds.items()}
        if not left or not left.keys() & known.keys():
            return ""
        total = sum(number * known.get(stage, 0.0) for stage, number in left.items())
        return f"; {'about' if left.keys() <= known.keys() else 'more than'} {duration(total)} left"


def run_grid(grid: Grid, units: list[list[Step]], tables: TablesPaths, run: Run | None = None) -> list[Failure]:
    """Run the steps of a grid; returns failed and skipped ones.

    run: starts a command with its output in a log and waits for it. After a signal to stop, the process ends with the
    exit code of the signal.
    """
    steps = [step for unit in units for step in unit]
    estimate, failures, failed = Estimate(_count_stale(grid, steps)), [], set()
    with signals.deferred("tables") as asked:
        for number, step in enumerate(steps, start=1):
            label = f"tables: {number}/{len(steps)} {step.name}"
            missing = [name for name in step.needs if name in failed]
            if missing:
                failures.append(Failure(step.name, f"skipped, it needs {missing[0]} train"))
                estimate.dropped(step.stage)
                logger.info(f"{label}: {failures[-1].said}")
                continue
            if not grid.why_stale(step):
                logger.info(f"{label}: fresh")
                continue
            started, before = datetime.now().astimezone(), time.monotonic()
            log = tables.log(step.experiment, step.stage)
            logger.info(f"{label}: running, see {log}")
            code, said = _attempt(step, log, run or run_child, asked)
            seconds = time.monotonic() - before
            estimate.ran(step.stage, seconds)
            said = "stopped" if asked.signal and code else said
            _record(tables, (started.isoformat(timespec="seconds"), step.experiment, step.stage, seconds, code, said))
            if asked.signal:
                logger.warning(f"{label}: {said or 'done'}; the same command goes on from here")
                asked.exit()
            if code:
                failures.append(Failure(step.name, said, log))
                if step.stage == "train":
                    failed.add(step.experiment)
            outcome = f"failed: {said}" if code else f"done in {duration(seconds)}"
            logger.info(f"{label}: {outcome}{estimate.text()}")
    return failures


def run_child(command: tuple[str, ...], log: Path, asked: Interruption) -> int:
    """Exit code of the command, negative for a signal.

    A signal to stop is passed on to the command.
    """
    with open(log, "ab") as file:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        terminated = False
        while True:
            try:
                return child.wait(POLL)
            except subprocess.TimeoutExpired:
                if asked.signal and not terminated:
                    child.terminate()
                    terminated = True


def read_attempts(tables: TablesPaths) -> list[dict[str, str]]:
    """Lines of attempts.csv, oldest first; none without the file."""
    try:
        with open(tables.attempts, encoding="utf-8", newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]
    except FileNotFoundError:
        return []


def duration(seconds: float) -> str:
    """Seconds below two minutes, minutes below two hours, then hours and minutes."""
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _count_stale(grid: Grid, steps: list[Step]) -> dict[str, int]:
    """stage -> number of steps that will run: stale ones, and those that need a stale training."""
    stale: dict[str, int] = {}
    trained: set[str] = set()
    for step in steps:
        if trained.intersection(step.needs) or grid.why_stale(step):
            stale[step.stage] = stale.get(step.stage, 0) + 1
            if step.stage == "train":
                trained.add(step.experiment)
    return stale


def _attempt(step: Step, log: Path, run: Run, asked: Interruption) -> tuple[int, str]:
    """Exit code, and the reason if it is not 0."""
    log.parent.mkdir(parents=True, exist_ok=True)
    before = log.stat().st_size if log.exists() else 0
    code = run(step.command, log, asked)
    if code == 0:
        return 0, ""
    if code < 0:
        number = signal.Signals(-code)
        memory = ", as the system does when memory runs out" if number is signal.SIGKILL else ""
        return code, f"ended by {number.name}{memory}"
    with open(log, "rb") as file:
        file.seek(before)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return code, (errors or lines or [f"exit code {code}"])[-1]


def _record(tables: TablesPaths, attempt: tuple[str, str, str, float, int, str]) -> None:
    """Append a line to attempts.csv. attempt: values in the order of COLUMNS."""
    new = not tables.attempts.exists()
    with open(tables.attempts, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow([f"{value:.1f}" if isinstance(value, float) else value for value in attempt])


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Setting of the child process: it is killed with its parent, so that no training keeps its folder locked."""
    assert _libc is not None
    _libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
