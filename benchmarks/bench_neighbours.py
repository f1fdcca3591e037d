"""Training beside busy neighbours: how much of the quiet rate is left.

The step of SORN with ResNet-18 at 144x48, batch 16, as the train stage does it: on all cores, with fewer threads while
others compute there (`pipeline.runtime.core_share`). Beside it a fixed number of threads: all cores, and one. Round
after round, without a neighbour, with one and with two. A neighbour is a process that computes without end in a session
of its own, because Linux divides the cores between sessions. Every measurement is a fresh process, which first runs
until its number of threads has settled. CPU only; writes nothing. On a machine with other work no rate is a quiet one:
read the ratios beside the load average.
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

CORES = len(os.sched_getaffinity(0))
OURS, FIXED, ONE = "ours", "all cores, fixed", "one thread"
WAYS: dict[str, dict[str, str]] = {OURS: {}, FIXED: {"OMP_NUM_THREADS": str(CORES)}, ONE: {"OMP_NUM_THREADS": "1"}}
NEIGHBOURS = (0, 1, 2)
SETTLING = 7.0  # seconds: the first step, and two looks at the cores
GOAL = 0.45  # of the quiet rate, with one neighbour
COST = 0.97  # of the rate of a fixed number of threads, without a neighbour
# No longer than the benchmark.
BUSY = "import os\nstarter = os.getppid()\nwhile os.getppid() == starter: sum(range(10**6))"


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Busy processes, each in a session of its own."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def rate(variables: dict[str, str], settling: float, seconds: float) -> float:
    """Images per second of a fresh process after so many seconds, over so many more."""
    build, name = Build("this", ROOT, Path(sys.executable)), "train_resnet18"
    images, spent = 0, 0.0
    with worker(build, SCRIPT, name, variables) as process:
        assert process.stdin is not None
        start = time.monotonic()
        while spent < seconds:
            counted = time.monotonic() - start >= settling
            process.stdin.write("go\n")
            process.stdin.flush()
            answer = json.loads(answered(process, build, name))
            if counted:
                images, spent = images + answer["units"], spent + answer["wall"]
    return images / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round, ours beside all cores, at most one neighbour: within two minutes",
    )
    parser.add_argument("--rounds", type=int, help="[5]")
    parser.add_argument("--seconds", type=float, help="of each measurement, after its settling [5]")
    given = parser.parse_args()
    rounds, seconds = given.rounds or (1 if given.quick else 5), given.seconds or (3 if given.quick else 5)
    ways, most = ([OURS, FIXED], NEIGHBOURS[:2]) if given.quick else (list(WAYS), NEIGHBOURS)
    rates: dict[str, list[float]] = {f"{way}, {count}": [] for way in ways for count in most}
    print(f"{rounds} rounds, {CORES} cores, load average {os.getloadavg()[0]:.1f}")
    for number in range(rounds):
        for count in most:
            with neighbours(count):
                for way in ways if number % 2 else reversed(ways):
                    rates[f"{way}, {count}"].append(rate(WAYS[way], SETTLING, seconds))
    figures = {}
    for way in ways:
        for count in most[1:]:
            pairs = zip(rates[f"{way}, {count}"], rates[f"{way}, 0"], strict=True)
            left = median(busy / quiet for busy, quiet in pairs)
            judged = way == OURS and count == 1
            goal, holds = (f">={GOAL}", left >= GOAL) if judged else (None, None)
            figures[f"{way}, with {count} over quiet"] = Figure(left, goal, holds)
    cost = median(a / b for a, b in zip(rates[f"{OURS}, 0"], rates[f"{FIXED}, 0"], strict=True))
    figures["ours over all cores, quiet"] = Figure(cost, f">={COST}", cost >= COST)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")
    emit("neighbours", rates, figures, "images/s")


if __name__ == "__main__":
    main()
