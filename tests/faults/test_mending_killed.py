"""SIGKILL at random moments: `sorn masks` with marks and mended masks, and `sorn masks export`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_project import TinyProject

from sorn.parts import FOOT

KILLS = 8  # of each command


@pytest.mark.slow
@pytest.mark.parametrize("command", ["marks", "overrides", "export"])
def test_a_process_killed_at_random_moments(tmp_path: Path, command: str) -> None:
    project, runs = TinyProject(tmp_path / "pictures"), tmp_path / "runs"
    project.run_all(runs, ["data", "masks"])
    place = tmp_path / "mended"
    (place / "train").mkdir(parents=True)
    for name in ("train-0-1", "train-3-2"):
        Image.fromarray(np.full((64, 32), FOOT, np.uint8)).save(place / "train" / f"{name}.png")
    (tmp_path / "marks.csv").write_text("path,reason\ntrain/train-1-1.png,outline\ntrain/train-3-3.png,outline\n")
    options = {
        "marks": ["--marks", str(tmp_path / "marks.csv")],
        "overrides": ["--set", f"masks.overrides={place}"],
    }.get(command, [])
    where = tmp_path / "out" if command == "export" else project.folder_of("masks", runs)
    line = ["export", "tiny-import", "--runs", str(runs), "--out", str(where)] if command == "export" else None

    before = tmp_path / "before"
    if where.exists():
        shutil.copytree(where, before)
    else:
        before.mkdir()
    assert start(project, runs, options, line).wait() == 0  # reads its modules for the first time, which takes longer
    expected = results(where)
    assert expected, "nothing was written"
    renew(where, before)
    started = time.monotonic()
    assert start(project, runs, options, line).wait() == 0
    seconds = time.monotonic() - started
    seed = int.from_bytes(os.urandom(4), "little")
    rng, met = np.random.default_rng(seed), 0
    print(f"seed {seed}")
    for moment in (1 - rng.random(KILLS) ** 2) * seconds:  # mostly late: a process spends its first seconds importing
        renew(where, before)
        process = start(project, runs, options, line)
        time.sleep(moment)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            met += 1
        process.wait()
        assert start(project, runs, options, line).wait() == 0, runs.with_name("killed.log").read_text()
        assert results(where) == expected, f"killed after {moment:.2f} s"
    assert met > KILLS // 3, "the kills did not meet the work"


def renew(folder: Path, before: Path) -> None:
    """Make a folder as it was before."""
    shutil.rmtree(folder)
    shutil.copytree(before, folder)


def results(folder: Path) -> dict[str, bytes]:
    """Files with results; the stamp holds times of writing."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.endswith(("stamp.json", ".lock"))}


def start(project: TinyProject, runs: Path, options: list[str], line: list[str] | None) -> subprocess.Popen[bytes]:
    """Process of the masks stage with these options; of another command below `sorn masks` where a line is given."""
    if line is None:
        return project.start("masks", runs, runs.with_name("killed.log"), *options)
    return project.start_command(["masks", *line], runs.with_name("killed.log"))
