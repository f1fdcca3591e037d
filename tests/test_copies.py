"""Copies of runs and data are fresh wherever they are; a changed byte never is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.io import digests
from tests.tiny_project import CONFIG, TinyProject

SMALL = CONFIG.replace(
    "epochs = 4\nwarmup_epochs = 1\nmilestones = [2]", "epochs = 1\nwarmup_epochs = 0\nmilestones = []"
)
STAGES = ("data", "masks", "train", "eval")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a dataset in set/ and its finished run in runs/."""
    base = tmp_path_factory.mktemp("project")
    TinyProject(base / "set", people=2, images=2, config=SMALL).run_all(base / "runs")
    return base


@pytest.fixture
def alone(finished: Path) -> Iterator[Callable[[], None]]:
    """Hides the original, so that a copy cannot read it."""
    hidden = finished.with_name("hidden")
    yield lambda: finished.rename(hidden) and None
    if hidden.exists():
        hidden.rename(finished)


@pytest.fixture(autouse=True)
def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests are remembered at once, as they are after two seconds."""
    monkeypatch.setattr(digests, "SETTLED", -1.0)


def options(base: Path) -> list[str]:
    words = {"dataset": "set/tiny.csv", "config": "set/tiny.toml", "runs": "runs"}
    given = [word for name, path in words.items() for word in (f"--{name}", str(base / path))]
    maps = f"masks.options.folder={base / 'set/maps'}"
    return [*given, "--labeler", "import", "--set", maps, "--set", "masks.options.table=sorn8"]


def bare(base: Path) -> list[str]:
    """The words that name a run, without its options."""
    return ["--dataset", str(base / "set/tiny.csv"), "--runs", str(base / "runs"), "--labeler", "import"]


def stale(base: Path, words: Callable[[Path], list[str]] = options) -> list[str]:
    result = CliRunner().invoke(main, ["status", *words(base)])
    assert result.exit_code == 0, result.output
    said = dict(re.findall(r"^(\w+) +(fresh|stale) ", result.output, re.M))
    assert tuple(said) == STAGES
    return [stage for stage, state in said.items() if state == "stale"]


def zipped(source: Path, target: Path) -> None:
    archive = target.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(source.rglob("*")):
            file.write(path, path.relative_to(source))
    with zipfile.ZipFile(archive) as file:
        file.extractall(target)
        for entry in file.infolist():  # its times are even seconds
            when = time.mktime((*entry.date_time, 0, 0, -1))
            os.utime(target / entry.filename, (when, when))


COPIES: dict[str, Callable[[Path, Path], object]] = {
    "cp -r": lambda source, target: shutil.copytree(source, target, copy_function=shutil.copyfile),
    "cp -rp": shutil.copytree,
    "rsync -a": lambda source, target: subprocess.run(["rsync", "-a", f"{source}/", target], check=True),
    "zip": zipped,
    "mount": lambda source, target: target.symlink_to(source),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_fresh(finished: Path, tmp_path: Path, alone: Callable[[], None], kind: str) -> None:
    if kind == "rsync -a" and shutil.which("rsync") is None:
        pytest.skip("no rsync here")
    COPIES[kind](finished, tmp_path / "copy")
    if kind != "mount":
        alone()
    assert stale(tmp_path / "copy") == [] == stale(tmp_path / "copy", bare)


def test_a_copy_reads_its_own_label_maps_and_not_those_of_the_original(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    file = copy / "set/maps/train-0-0.png"
    Image.fromarray(255 - np.asarray(Image.open(file))).save(file)
    assert stale(copy, bare)[:1] == ["masks"] and stale(finished, bare) == []


def test_finished_labels_stay_fresh_where_their_maps_are_not(
    finished: Path, tmp_path: Path, alone: Callable[[], None]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    alone()
    shutil.rmtree(copy / "set/maps")
    assert stale(copy, bare) == []
    result = CliRunner().invoke(main, ["eval", *bare(copy), "--set", "eval.tau=0.3", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, ["masks", *bare(copy), "--set", f"masks.options.folder={copy / 'map'}"])
    assert result.exit_code == 1 and f"there is no folder '{copy / 'map'}'. Name the label maps" in result.output
    (copy / "runs/tiny-import/masks/index.json").unlink()
    assert stale(copy, bare)[:1] == ["masks"]


def test_only_the_runs_or_only_the_data_are_elsewhere(finished: Path, tmp_path: Path) -> None:
    words = options(finished)
    for part in ("runs", "set"):
        shutil.copytree(finished / part, tmp_path / part)
        moved = [word.replace(str(finished / part), str(tmp_path / part)) for word in words]
        output = CliRunner().invoke(main, ["status", *moved]).output
        assert "stale" not in output and output.count("fresh") == len(STAGES), output


def test_a_copy_is_evaluated_with_its_own_pictures(finished: Path, tmp_path: Path, alone: Callable[[], None]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    alone()
    result = CliRunner().invoke(main, ["eval", *options(copy), "--set", "eval.tau=0.3", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(main, ["verify", "tiny-import", "--runs", str(copy / "runs"), "--images"])
    assert result.exit_code == 0, result.output
    for file in ("masks/index.json", "eval/report.md"):
        (copy / "runs/tiny-import" / file).unlink()
    result = CliRunner().invoke(main, ["verify", "tiny-import", "--runs", str(copy / "runs")])
    commands = re.findall("make .*", result.output)
    assert commands and str(finished) not in "".join(commands).replace(str(copy), "")
    assert all(f"DATASET={copy}/set/tiny.csv" in command and f"RUNS={copy}/runs" in command for command in commands)


CHANGES = {
    "set/train-0-0.png": "data",
    "set/maps/train-0-0.png": "masks",
    "runs/tiny/data/records.csv": "data",
    "runs/tiny-import/masks/train/shard-00000.h5": "masks",
    "runs/tiny-import/masks/index.json": "masks",
    "runs/tiny-import/train/model.safetensors": "train",
    "runs/tiny-import/eval/features.h5": "eval",
    "runs/tiny-import/eval/report.html": "eval",
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_changed_byte_is_noticed(finished: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    assert stale(copy) == []
    time.sleep(0.02)  # the clock of file systems ticks every few milliseconds
    file = copy / name
    status, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stale(copy)[:1] == [CHANGES[name]]


def test_a_changed_list_is_noticed(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    file, text = copy / "set/tiny.csv", (copy / "set/tiny.csv").read_text()
    status = file.stat()
    file.write_text(text.replace("train-0-0.png,0,1,train", "train-0-0.png,0,3,train"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stale(copy)[:1] == ["data"]
