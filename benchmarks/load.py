"""How time and memory grow with a dataset: all stages as a user runs them, on 50,000, 100,000 and 200,000 pictures.

Pictures of noise, 48x16, so that the machinery is measured and not the network: resnet10 with few channels, trained for
four epochs on 512 of them. 2,000 queries; all other pictures are the gallery. Every stage is a process of its own;
memory is the most that it has held, without what its files in the system's cache take. Then the commands that have
nothing to do, once everything is fresh.
Run: python benchmarks/load.py [--images 50000 --images 100000 ...] [--folder FOLDER]    (about 2 GB, 20 minutes)
Only the stages that hold records: --stage data --stage masks --stage verify    (3 minutes)
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from report import Figure, emit

ROOT = Path(__file__).parents[1]
TRAIN, QUERIES, PER_PERSON = 512, 2_000, 25
SIZE = (48, 16)
TABLE = "path,pid,camid,split"
STAGES = {
    "data": ("data", "prepare"),
    "masks": ("masks",),
    "train": ("train",),
    "eval": ("eval",),
    "verify": ("verify",),
}
AGAIN = {"data, fresh": ("data", "prepare"), "masks, fresh": ("masks",), "status": ("status",)}
STALE = 1  # exit code of status where the stages after those that were asked for have not run
RECORDS_GOAL = 60  # MB per 100,000 pictures in the stages that hold records
RECORDS_STAGES = ("data", "masks", "verify")
CONFIG = f"""
base = "demo"
[masks]
image_size = [{SIZE[0]}, {SIZE[1]}]
[model]
backbone = "resnet10"
set_channels = 8
semantic_channels = 8
[schedule]
epochs = 4
milestones = [3]
"""


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of the CPU; megabytes: the most that was held."""

    seconds: float
    cpu: float
    megabytes: float


def draw(folder: Path, count: int) -> None:
    """Pictures 0.png, 1.png, ... in folders of a thousand, and label maps of the first; those there are kept."""
    rng = np.random.default_rng(0)
    for number in range(count):  # one by one: a process starts with the memory of the one that starts it
        pixels = rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        path = folder / picture(number)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path, compress_level=0)
        if number < TRAIN and not (label := folder / "maps" / picture(number)).exists():
            label.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[..., 0] % 8).save(label)


def picture(number: int) -> str:
    return f"{number // 1000:04}/{number}.png"


def listed(folder: Path, count: int) -> Path:
    """A dataset of that many pictures: persons by turns, seen by six cameras."""
    people = count // PER_PERSON  # a larger dataset has more people, not more pictures of each
    splits = ["train"] * TRAIN + ["query"] * QUERIES + ["gallery"] * (count - TRAIN - QUERIES)
    rows = [f"{picture(i)},{i % people},{i // people % 6},{split}" for i, split in enumerate(splits)]
    path = folder / f"load{count}.csv"
    path.write_text("\n".join([TABLE, *rows]) + "\n")
    return path


def run(stage: str, dataset: Path, config: Path, runs: Path) -> Cost:
    options = ["--dataset", dataset, "--labeler", "import", "--runs", runs]
    if stage != "verify":
        options += ["--config", config, "--device", "cpu", "--set", f"masks.options.folder={dataset.parent / 'maps'}"]
        options += ["--set", "masks.options.table=sorn8"]
    before = time.perf_counter()
    command = [sys.executable, "-m", "pipeline", *(STAGES | AGAIN)[stage], *map(str, options)]
    log = runs / f"{dataset.stem}-{stage}.log"
    with open(log, "wb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        _, status, used = os.wait4(process.pid, 0)
    if status and not (stage == "status" and os.waitstatus_to_exitcode(status) == STALE):
        sys.exit(f"{stage} of {dataset} failed:\n{log.read_text()[-2000:]}")
    return Cost(time.perf_counter() - before, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, action="append", help="how many; more than once for several sizes")
    parser.add_argument("--folder", type=Path, help="where everything is kept; a temporary folder without")
    parser.add_argument("--stage", action="append", choices=STAGES, help="only this one; more than once for several")
    given = parser.parse_args()
    stages = [stage for stage in STAGES if stage in (given.stage or STAGES)]
    counts = sorted(given.images or [50_000, 100_000, 200_000])
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        runs, config = folder / "runs", folder / "load.toml"
        runs.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG)
        draw(folder, counts[-1])
        rows: dict[str, list[float]] = {}
        figures: dict[str, Figure] = {}
        costs: dict[str, list[Cost]] = {stage: [] for stage in (*stages, *AGAIN)}
        for count in counts:
            dataset = listed(folder, count)
            for stage in costs:
                cost = run(stage, dataset, config, runs)
                costs[stage].append(cost)
                print(
                    f"{count:>9,} {stage:12} {cost.seconds:8.1f} s {cost.cpu:8.2f} CPU s {cost.megabytes:8.0f} MB",
                    flush=True,
                )
                rows[f"{stage}, {count:,}"] = [cost.cpu]
        span = (counts[-1] - counts[0]) / 100_000
        for stage, measured in costs.items():
            slowest = measured[-1].cpu / counts[-1] * counts[0] / measured[0].cpu
            figures[f"{stage}_time_per_image_largest_over_smallest"] = Figure(slowest, "<=1.1", slowest <= 1.1)
            if span:
                grown = (measured[-1].megabytes - measured[0].megabytes) / span
                goal = RECORDS_GOAL if stage in RECORDS_STAGES else None
                figures[f"{stage}_mb_per_100000_images"] = (
                    Figure(grown, f"<={goal}", grown <= goal) if goal else Figure(grown)
                )
        emit("load", rows, figures, "CPU s")


if __name__ == "__main__":
    main()
