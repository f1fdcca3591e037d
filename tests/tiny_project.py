"""A project that costs seconds: random pictures with label maps beside them, and every stage as its own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}  # tiny tensors gain nothing from threads that wait for each other
STAGES = {"data": ("data", "prepare"), "masks": ("masks",), "train": ("train",), "eval": ("eval",)}
TIMED = ("stamp.json", "tensorboard", "scalars.csv")  # what holds times of writing, not results

CONFIG = """
base = "paper"
[masks]
image_size = [64, 32]
shard_images = 8
[model]
backbone = "resnet10"
semantic_channels = 8
[schedule]
epochs = 4
base_lr = 1e-3
warmup_start_lr = 1e-4
warmup_epochs = 1
milestones = [2]
[train]
init = "none"
batch_size = 4
precision = "fp32"
[eval]
ranked_queries = 2
ranked_gallery = 3
precision = "fp32"
"""


@dataclass(frozen=True)
class Finished:
    code: int
    text: str


class TinyProject:
    """folder: of the dataset. images: of each of `people` training identities; half as many people are asked for."""

    def __init__(self, folder: Path, people: int = 4, images: int = 6, config: str = CONFIG) -> None:
        self.folder, self.config = folder, folder / "tiny.toml"
        (folder / "maps").mkdir(parents=True)
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        asked = range(people, people + max(2, people // 2))
        cameras = {"train": [1 + i % 2 for i in range(images)], "query": [1], "gallery": [2, 3]}
        for split, pids in (("train", range(people)), ("query", asked), ("gallery", asked)):
            for pid in pids:
                for i, camid in enumerate(cameras[split]):
                    name = f"{split}-{pid}-{i}.png"
                    Image.fromarray(rng.integers(0, 255, (64, 32, 3), dtype=np.uint8)).save(folder / name)
                    label = np.kron(rng.integers(0, 8, (8, 4), dtype=np.uint8), np.ones((8, 8), np.uint8))
                    Image.fromarray(label).save(folder / "maps" / name)
                    rows.append(f"{name},{pid},{camid},{split}")
        (folder / "tiny.csv").write_text("\n".join(rows) + "\n")
        self.config.write_text(config)

    def command(self, stage: str, runs: Path, *options: str, ranks: int = 1) -> list[str]:
        words = {"dataset": self.folder / "tiny.csv", "labeler": "import", "config": self.config, "runs": runs}
        given = [word for name, value in words.items() for word in (f"--{name}", str(value))]
        sets = (f"masks.options.folder={self.folder / 'maps'}", "masks.options.table=sorn8")
        given += ["--device", "cpu", *(word for text in sets for word in ("--set", text)), *options]
        shared = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m"] if ranks > 1 else []
        return [sys.executable, "-m", *shared, "pipeline", *STAGES[stage], *given]

    def start(
        self,
        stage: str,
        runs: Path,
        log: Path,
        *options: str,
        limits: Callable[[], None] | None = None,
        ranks: int = 1,
    ) -> subprocess.Popen[bytes]:
        """limits: called in the child before the stage. ranks: processes of torchrun."""
        return self.start_process(self.command(stage, runs, *options, ranks=ranks), log, limits)

    def start_command(self, words: list[str], log: Path) -> subprocess.Popen[bytes]:
        """A command of `sorn` that is no stage."""
        return self.start_process([sys.executable, "-m", "pipeline", *words], log)

    @staticmethod
    def start_process(
        command: list[str], log: Path, limits: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        with open(log, "wb") as file:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=ENVIRONMENT,
                preexec_fn=limits,
            )

    def run(self, stage: str, runs: Path, *options: str, limits: Callable[[], None] | None = None) -> Finished:
        log = runs.with_name(f"{runs.name}.log")
        code = self.start(stage, runs, log, *options, limits=limits).wait()
        return Finished(code, log.read_text(errors="replace"))

    def run_all(self, runs: Path, stages: Iterable[str] = STAGES) -> dict[str, float]:
        """Stage -> seconds it took. Every one must succeed."""
        seconds = {}
        for stage in stages:
            before = time.monotonic()
            done = self.run(stage, runs)
            assert done.code == 0, done.text
            seconds[stage] = time.monotonic() - before
        return seconds

    @staticmethod
    def folder_of(stage: str, runs: Path) -> Path:
        return runs / ("tiny" if stage == "data" else "tiny-import") / stage

    @staticmethod
    def content(path: Path) -> bytes:
        """Bytes of a file, without the folder of runs that a report names in its command: runs may be a copy."""
        return re.sub(rb"RUNS=[^\s\"<]+", b"RUNS=", path.read_bytes())

    @classmethod
    def tree(cls, runs: Path, stages: Iterable[str] = STAGES) -> dict[str, bytes]:
        """Every file of these stages that holds results: path -> content. What is temporary must be gone.

        The calibration beside a checkpoint is the evaluation's.
        """
        found, stages = {}, list(stages)
        for stage in stages:
            folder = cls.folder_of(stage, runs)
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                name = path.relative_to(folder)
                owner = "eval" if (stage, name.name) == ("train", "calibration.json") else stage
                if owner in stages and not any(part in TIMED for part in name.parts):
                    beside = "" if owner == stage else f"beside {stage}/"
                    found[f"{owner}/{beside}{name.as_posix()}"] = cls.content(path)
        return found
