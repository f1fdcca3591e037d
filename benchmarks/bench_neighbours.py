"""Training beside busy neighbours: how much of the quiet rate is left, by the way in which threads wait.

The step of SORN with ResNet-18 at 144x48, batch 16, on all cores. Each way is a process that differs by its environment
variables alone; round after round, every way is measured without a neighbour, with one and with two. A neighbour is a
process that computes without end in a session of its own, because Linux divides the cores between sessions. CPU only;
writes nothing. On a machine with other work even the quiet rates are not quiet: read them beside the load average.
Run: python benchmarks/bench_neighbours.py [--quick] [--rounds N] [--seconds N]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from against import ROOT, SCRIPT, Build, answered, worker
from report import Figure, emit, median

WAITING = {"OMP_WAIT_POLICY": "passive"}

OURS = "ours"
WAYS = {
    OURS: WAITING,
    "spinning as OpenMP does": {},
    "short spinning": {"GOMP_SPINCOUNT": "1000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
NEIGHBOURS = (0, 1, 2)
GOAL = 0.45  # of the quiet rate, with one neighbour
COST = 0.97  # of the rate of spinning threads, without a neighbour
# No longer than the benchmark.
BUSY = "import os\nstarter = os.getppid()\nwhile os.getppid() == starter: sum(range(10**6))"


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Busy processes, each in a session of its own."""
    command = [sys.executable, "-c", BUSY]
    running = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        time.sleep(0.5 if count else 0)
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def rate(process: subprocess.Popen[str], build: Build, seconds: float) -> float:
    """Images per second of steps that take so many seconds together, after one step."""
    assert process.stdin is not None
    images, spent = 0, 0.0
    for number in range(-1, sys.maxsize):
        process.stdin.write("go\n")
        process.stdin.flush()
        answer = json.loads(answered(process, build, "train_resnet18"))
        if number >= 0:
            images, spent = images + answer["units"], spent + answer["wall"]
        if spent >= seconds:
            break
    return images / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds of short measurements")
    parser.add_argument("--rounds", type=int, help="[5]")
    parser.add_argument("--seconds", type=float, help="of each measurement [3]")
    given = parser.parse_args()
    rounds, seconds = given.rounds or (2 if given.quick else 5), given.seconds or (1 if given.quick else 3)
    build = Build("this", ROOT, Path(sys.executable))
    rates: dict[str, list[float]] = {f"{way}, {count}": [] for way in WAYS for count in NEIGHBOURS}
    print(f"{rounds} rounds, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with contextlib.ExitStack() as stack:
        workers = {
            way: stack.enter_context(worker(build, SCRIPT, "train_resnet18", more)) for way, more in WAYS.items()
        }
        for number in range(rounds):
            for count in NEIGHBOURS:
                with neighbours(count):
                    for way in WAYS if number % 2 else reversed(WAYS):
                        rates[f"{way}, {count}"].append(rate(workers[way], build, seconds))
    figures = {}
    for way in WAYS:
        quiet = rates[f"{way}, 0"]
        for count in NEIGHBOURS[1:]:
            left = median(a / b for a, b in zip(rates[f"{way}, {count}"], quiet, strict=True))
            judged = way == OURS and count == 1
            goal, holds = (f">={GOAL}", left >= GOAL) if judged else (None, None)
            figures[f"{way}, with {count} over quiet"] = Figure(left, goal, holds)
    cost = median(a / b for a, b in zip(rates[f"{OURS}, 0"], rates["spinning as OpenMP does, 0"], strict=True))
    figures["ours_over_spinning_quiet"] = Figure(cost, f">={COST}", cost >= COST)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")
    emit("neighbours", rates, figures, "images/s")


if __name__ == "__main__":
    main()
