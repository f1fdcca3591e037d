"""Trainings of small random pictures, for tests of the train stage."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.runs.config import Config, Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.layout import Paths
from pipeline.training.loop import Training

ROOT = Path(__file__).parents[1]
PRINT = "f" * 64  # a fingerprint
CONFIG = """
base = "paper"
[masks]
image_size = [64, 32]
[model]
backbone = "resnet10"
semantic_channels = 8
[schedule]
epochs = 3
base_lr = 1e-3
warmup_start_lr = 1e-4
warmup_epochs = 1
milestones = [2]
[train]
init = "none"
batch_size = 4
precision = "fp32"
"""


class Tiny:
    """A CSV of small random pictures, 4 training pids of 5 images, with finished shards.

    shift: brightness that all of them have in addition.
    """

    def __init__(self, folder: Path, shift: int = 0) -> None:
        self.folder, self.config_file = folder, folder / "tiny.toml"
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        for split, pids, images in (
            ("train", range(4), 5),
            ("val_query", range(4, 7), 1),
            ("val_gallery", range(4, 7), 2),
        ):
            for pid in pids:
                for i in range(images):
                    name, camid = f"{split}-{pid}-{i}.png", 1 + i if split != "val_query" else 9
                    picture = rng.integers(0, 255, (40, 20, 3)) + shift
                    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / name)
                    rows.append(f"{name},{pid},{camid},{split}")
                    (folder / "masks").mkdir(exist_ok=True)
                    Image.fromarray(rng.integers(0, 8, (40, 20), dtype=np.uint8)).save(folder / "masks" / name)
        (folder / "tiny.csv").write_text("\n".join(rows) + "\n")
        self.config_file.write_text(CONFIG)
        for command in (["data", "prepare"], ["masks"]):
            done = CliRunner().invoke(main, [*command, *self.options()])
            assert done.exit_code == 0, done.output

    def options(self, *sets: str, runs: str = "runs") -> list[str]:
        given = (f"masks.options.folder={self.folder / 'masks'}", "masks.options.table=sorn8", *sets)
        options = ["--dataset", str(self.folder / "tiny.csv"), "--labeler", "import", "--config", str(self.config_file)]
        options += ["--data-root", str(self.folder), "--runs", str(self.folder / runs), "--device", "cpu"]
        return options + [word for text in given for word in ("--set", text)]

    def config(self, *sets: str) -> Config:
        return load_config(str(self.config_file), sets, Runtime(workers=1, device="cpu"))

    @property
    def paths(self) -> Paths:
        return Paths(str(self.folder / "tiny.csv"), "import", self.folder, self.folder / "runs", name="tiny")


def shards_of(tiny: Tiny, folder: Path) -> Paths:
    run = folder / "runs" / "tiny-import"
    run.mkdir(parents=True)
    (run / "masks").symlink_to(tiny.paths.folder("masks"))
    return dataclasses.replace(tiny.paths, runs=folder / "runs")


def weights(paths: Paths) -> bytes:
    return paths.checkpoint.read_bytes()


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, how: Callable[[], object]) -> None:
    """Do `how` in the middle of the given step of the whole training."""
    run_step = Training._run_step

    def run(self: Training, batch: Any) -> None:
        if self._done == step:
            how()
        run_step(self, batch)

    monkeypatch.setattr(Training, "_run_step", run)


def make_train(tiny: Tiny, runs: str, *sets: str, processes: int = 0, fails: bool = False) -> str:
    shards = tiny.folder / runs
    if not shards.exists():
        shards.mkdir()
        for run in ("tiny", "tiny-import"):
            (shards / run).mkdir()
        (shards / "tiny" / "data").symlink_to(tiny.paths.folder("data"))
        (shards / "tiny-import" / "masks").symlink_to(tiny.paths.folder("masks"))
    command = ["make", "--no-print-directory", "-C", str(ROOT), "train", f"PYTHON={sys.executable}"]
    command += [f"DATASET={tiny.folder / 'tiny.csv'}", "LABELER=import", f"CONFIG={tiny.config_file}"]
    command += [f"RUNS={shards}", f"DATA_ROOT={tiny.folder}", *([f"NPROC={processes}"] if processes else [])]
    given = (f"masks.options.folder={tiny.folder / 'masks'}", "masks.options.table=sorn8", *sets)
    command.append("ARGS=--device cpu " + " ".join(f"--set {text}" for text in given))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr
