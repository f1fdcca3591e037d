"""A small finished run by the real stages: a CSV of random pictures, label maps, a network of random weights."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pipeline.cli.app import main
from pipeline.io.files import digest_file
from pipeline.runs.command import RunCommand

OPTIONS = (
    "masks.image_size=[64,32]",
    "masks.shard_images=4",
    "masks.options.table=sorn8",
    "model.backbone=resnet18",
    "model.stripes=3",
    "train.init=none",
    "model.semantic_channels=8",
    "model.set_channels=8",
    "schedule.epochs=1",
    "schedule.warmup_epochs=0",
    "schedule.milestones=[]",
    "train.batch_size=8",
    "eval.ranked_queries=1",
    "eval.ranked_gallery=2",
)
SPLITS = {"train": range(4), "query": range(4, 7), "gallery": range(4, 7)}


class Run:
    """The dataset `mine` in a folder, and its run `mine-import`."""

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder, self.runs = folder, runs

    def command(self, stage: str, *more: str, **options: str) -> str:
        """What verify says to type: the command that made a stage. more: further options of --set."""
        given = (*OPTIONS, f"masks.options.folder={self.folder / 'maps'}", *more)
        made = RunCommand(str(self.folder / "mine.csv"), "import", "demo", given, **options)
        return dataclasses.replace(made, data_root=str(self.folder), runs=str(self.runs)).make(stage)

    def file(self, name: str) -> Path:
        """data/... is the dataset's, all else the run's."""
        return self.runs / ("mine" if name.startswith("data/") else "mine-import") / name

    def call(self, *words: str) -> Result:
        result = CliRunner().invoke(main, words)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def stage(self, *words: str, more: tuple[str, ...] = ()) -> str:
        common = ["--dataset", str(self.folder / "mine.csv"), "--labeler", "import", "--config", "demo"]
        common += ["--runs", str(self.runs), "--data-root", str(self.folder), "--device", "cpu", "--workers", "0"]
        options = (*OPTIONS, f"masks.options.folder={self.folder / 'maps'}", *more)
        result = self.call(*words, *common, *(word for option in options for word in ("--set", option)))
        assert result.exit_code == 0, result.output
        return result.output

    def verify(self, *words: str) -> Result:
        return self.call("verify", "mine-import", "--runs", str(self.runs), *words)

    def broken(self, *words: str) -> str:
        """What verify says of a run that is not whole; all the words are in it."""
        result = self.verify()
        assert result.exit_code == 1 and "Traceback" not in result.output, result.output
        for word in words:
            assert word in result.output, f"{word}\nis not in\n{result.output}"
        return result.output

    def flip(self, name: str, at: float = 0.5) -> Path:
        """Change one bit, and neither size nor time of writing, as a disk does."""
        path = self.file(name)
        content, stat = bytearray(path.read_bytes()), path.stat()
        content[int(at * (len(content) - 1))] ^= 4
        self.replace(path, bytes(content))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return path

    @staticmethod
    def replace(path: Path, content: bytes) -> None:
        """By a rename, since copies of a run share their files."""
        path.with_name("new").write_bytes(content)
        os.replace(path.with_name("new"), path)

    def rewrite(self, name: str, change: Callable[[dict], object]) -> Path:
        """Change a JSON file and its record in the stamp: whole, as far as bytes go."""
        path = self.file(name)
        content = json.loads(path.read_text())
        change(content)
        self.replace(path, json.dumps(content).encode())
        self.restamp(path)
        return path

    def restamp(self, path: Path) -> None:
        place = next(parent for parent in path.parents if (parent / "stamp.json").is_file())
        made = json.loads((place / "stamp.json").read_text())
        name = path.relative_to(place).as_posix()
        made["outputs"][name] = [digest_file(path), path.stat().st_size, path.stat().st_mtime_ns]
        self.replace(place / "stamp.json", json.dumps(made).encode())


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All stages, and an experiment with a training and an evaluation of its own."""
    folder = tmp_path_factory.mktemp("verified")
    rng, rows = np.random.default_rng(0), ["path,pid,camid,split"]
    (folder / "maps").mkdir()
    for split, pids in SPLITS.items():
        for pid in pids:
            for camid in (1,) if split == "query" else (2, 3):
                name = f"{split}-{pid}-{camid}"
                Image.fromarray(rng.integers(0, 255, (40, 20, 3), dtype=np.uint8)).save(folder / f"{name}.png")
                label = np.kron(rng.integers(0, 8, (10, 5), dtype=np.uint8), np.ones((4, 4), np.uint8))
                Image.fromarray(label).save(folder / "maps" / f"{name}.png")
                rows.append(f"{name}.png,{pid},{camid},{split}")
    (folder / "mine.csv").write_text("\n".join(rows) + "\n")
    run = Run(folder, folder / "runs")
    run.stage("data", "prepare")
    for name in ("masks", "train", "eval"):
        run.stage(name)
    for name in ("train", "eval"):
        run.stage(name, "--experiment", "sorn-seed0", more=("train.seed=1",))
    return run


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy of the finished run, to break: its files are replaced, never written to."""
    shutil.copytree(finished.runs, tmp_path / "runs", copy_function=os.link)
    return Run(finished.folder, tmp_path / "runs")
