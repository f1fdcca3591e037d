"""Pictures of SynPed per CPU second, of this build and of another one.

Renders a small dataset of every split with `write_dataset`, in a process of its own with one worker: starting, drawing
people and places, writing files. With --build, an older checkout is measured in the same rounds, and the pictures and
masks of both are compared. The environment must have what both need.
Run: python benchmarks/bench_render.py [--quick] [--rounds N] [--style abroad] [--build CHECKOUT]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Figure, emit, median

ROOT = Path(__file__).parents[1]
FULL = (16, 8, 2, 2, 5, 6, 4, 7, 4, 6, 6, 5)  # Size: 262 pictures
QUICK = (2, 8, 0, 0, 0, 2, 2, 3, 1, 2, 1, 4)  # 32
GOAL = 2.5
CODE = """
import importlib
import sys
from pathlib import Path
try:
    place = importlib.import_module("pipeline.datasets.synped").__name__
except ModuleNotFoundError:
    place = "pipeline.synped"  # before 0.2
write_dataset = importlib.import_module(place + ".dataset").write_dataset
Size = importlib.import_module(place + ".plan").Size
write_dataset(Path(sys.argv[1]), Size(*map(int, sys.argv[3:])), 0, 1, sys.argv[2])
"""


def cpu_seconds(build: Path, folder: Path, style: str, size: tuple[int, ...]) -> float:
    """CPU seconds of rendering into `folder` with the code of `build`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", CODE, str(folder), style, *map(str, size)]
    environment = {**os.environ, "PYTHONPATH": str(build), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        command, check=True, env=environment, cwd=build, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def equal_share(first: Path, second: Path, pattern: str) -> float:
    """Share of files of the same bytes, of those that both have."""
    names = [path.relative_to(first) for path in sorted(first.glob(pattern))]
    names = [name for name in names if (second / name).is_file()]
    return sum((first / name).read_bytes() == (second / name).read_bytes() for name in names) / len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="32 pictures, one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--style", default="home")
    parser.add_argument("--build", type=Path, help="another checkout")
    args = parser.parse_args()
    size, rounds = (QUICK, 1) if args.quick else (FULL, args.rounds)
    builds = {"ours": ROOT} | ({"other": args.build.resolve()} if args.build else {})
    rates: dict[str, list[float]] = {name: [] for name in builds}
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as scratch:  # compiles the kernels, once for all rounds
        cpu_seconds(ROOT, Path(scratch) / "first", args.style, (0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0))
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            for name in builds if number % 2 else reversed(builds):
                folder = Path(scratch) / name
                seconds = cpu_seconds(builds[name], folder, args.style, size)
                rates[name].append(len(list(folder.glob("masks/*/*.png"))) / seconds)
            if args.build and not number:
                first, second = (Path(scratch) / name for name in builds)
                figures["equal_pictures"] = Figure(equal_share(first, second, "images/**/*.jpg"))
                figures["equal_masks"] = Figure(equal_share(first, second, "masks/**/*.png"))
    if args.build:
        ratio = median(rates["ours"]) / median(rates["other"])
        figures["ours_over_other"] = Figure(ratio, f">={GOAL}", ratio >= GOAL)
    figures["pictures_per_cpu_second"] = Figure(median(rates["ours"]))
    emit("render", rates, figures, "pictures per CPU s")


if __name__ == "__main__":
    main()
