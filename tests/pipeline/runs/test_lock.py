"""Two processes and one folder: who gets it, what the other one says, and what a killed one leaves behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.runs import lock
from pipeline.runs.lock import LOCK, held

ROOT = Path(__file__).parents[3]
HOLDS = """
import contextlib, os, signal, sys
from pathlib import Path
from joblib import Parallel, delayed
from pipeline.runs.lock import LOCK, held

def times_open(path):
    found = 0
    for number in range(256):
        with contextlib.suppress(OSError):
            found += os.path.samestat(os.fstat(number), os.stat(path))
    return found

folder = Path(sys.argv[1])
with held(folder, "masks"):
    {then}
    signal.pause()
"""


@contextlib.contextmanager
def another_process(folder: Path, then: str = "print('held', flush=True)") -> Iterator[tuple[int, str]]:
    """A process that holds the folder and has done `then`: its number and the line it printed. It ends by SIGKILL."""
    command = [sys.executable, "-c", HOLDS.format(then=then), str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.pid, process.stdout.readline()
        finally:
            process.kill()


def test_the_file_says_who_holds_it_and_stays_empty_when_the_work_is_done(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "d" / "train"
    with held(folder, "train"):
        (line,) = (folder / LOCK).read_text().splitlines()
        found = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d\d:\d\d", found.pop("since"))
        user, host = getpass.getuser(), socket.gethostname()
        assert found == {"host": host, "pid": os.getpid(), "user": user, "stage": "train"}
    assert (folder / LOCK).read_bytes() == b""
    with pytest.raises(ZeroDivisionError), held(folder, "train"):
        raise ZeroDivisionError
    with held(folder, "train"):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()


def test_a_second_process_is_told_who_is_at_work_until_that_one_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_process(tmp_path) as (pid, _):
        who = rf"process {pid} of \S+ on host {socket.gethostname()}, since \d{{4}}-\d\d-\d\d \d\d:\d\d"
        message = rf"masks is already running in {tmp_path}: {who}\. Wait for it, or stop it: kill {pid}; nothing needs"
        with pytest.raises(UserError, match=message), held(tmp_path, "train"):
            pytest.fail("held by two")
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
        with pytest.raises(UserError, match=rf"stop it on \S+: kill {pid};"), held(tmp_path, "train"):
            pytest.fail("held by two")
        (tmp_path / LOCK).write_text("{}")
        with pytest.raises(UserError, match=r"another process holds .* does not name it.*then run train"):
            held(tmp_path, "train").__enter__()
    with held(tmp_path, "train"):
        assert json.loads((tmp_path / LOCK).read_text())["stage"] == "train"


def test_a_forked_child_that_outlives_a_killed_process_does_not_keep_its_lock(tmp_path: Path) -> None:
    with another_process(tmp_path, "os.fork() or print(os.getpid(), flush=True)") as (_, line):
        child = int(line)
    os.kill(child, 0)  # it is alive
    try:
        with held(tmp_path, "train"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_child_that_ends_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    ends = "os.fork() or sys.exit(); print(os.wait()[1], flush=True)"
    with another_process(tmp_path, ends) as (pid, status):
        assert status == "0\n"
        with pytest.raises(UserError, match=f"process {pid} "), held(tmp_path, "train"):
            pytest.fail("held by two")


def test_workers_of_loky_do_not_have_the_file_open(tmp_path: Path) -> None:
    look = (
        "print(times_open(folder / LOCK), *Parallel(2, 'loky')([delayed(times_open)(folder / LOCK)] * 2), flush=True)"
    )
    with another_process(tmp_path, look) as (_, line):
        assert line == "1 0 0\n"


@pytest.mark.parametrize("replaced", [False, True])
def test_the_lock_of_a_file_that_is_gone_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    folder, flock, moved = tmp_path / "train", fcntl.flock, []

    def slow_flock(file: object, operation: int) -> None:
        if not moved:
            moved.append(folder.rename(tmp_path / "removed"))
            if replaced:
                folder.mkdir()
                (folder / LOCK).touch()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", slow_flock)
    with held(folder, "train"):
        assert moved and (folder / LOCK).stat().st_size and not (tmp_path / "removed" / LOCK).stat().st_size
        with pytest.raises(UserError, match="train is already running"):
            held(folder, "train").__enter__()


def test_where_nothing_can_be_locked_the_work_goes_on_and_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuses)
    lock._say_there_are_none.cache_clear()
    with held(tmp_path / "masks", "masks"), held(tmp_path / "train", "train"):
        pass
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("no file can be locked here (No locks available)") == 1


class Project:
    """A dataset of random pictures, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        for i in range(8):
            Image.fromarray(rng.integers(0, 256, (40, 20, 3), dtype=np.uint8)).save(folder / f"{i}.png")
            split = "train" if i < 4 else ("query", "gallery")[i % 2]
            rows.append(f"{i}.png,{i // 2},{1 + i % 2},{split}")
        (folder / "d.csv").write_text("\n".join(rows) + "\n")
        self.options = ["--dataset", str(folder / "d.csv"), "--labeler", "none", "--runs", str(folder / "runs")]
        self.options += ["--device", "cpu", "--set", "masks.image_size=[64,32]"]
        self.masks = folder / "runs" / "d-none" / "masks"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, *self.options], catch_exceptions=False)

    def files(self) -> dict[Path, bytes]:
        files = (path for path in self.masks.parents[1].rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files if path != self.masks / LOCK}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    for stage in (["data", "prepare"], ["masks"]):
        result = project.run(*stage)
        assert result.exit_code == 0, result.output
    return project


def test_a_stage_and_clean_stop_at_a_folder_in_which_another_works(project: Project) -> None:
    stamp = json.loads((project.masks / "stamp.json").read_text())
    assert stamp["outputs"] and LOCK not in stamp["outputs"] and (project.masks / LOCK).is_file()
    before = project.files()
    with another_process(project.masks) as (pid, _):
        for words in (["masks", "--force"], ["clean"]):
            result = project.run(*words)
            assert (
                result.exit_code == 1 and f"masks is already running in {project.masks}: process {pid}" in result.output
            )
        assert project.files() == before, "the stamp as well"
        result = project.run("masks")
        assert result.exit_code == 0 and "masks: fresh, nothing to do" in result.output
    assert project.run("masks", "--force").exit_code == 0
    left_by_a_killed_clean = project.masks.with_name("masks.removed") / "train"
    left_by_a_killed_clean.mkdir(parents=True)
    result = project.run("clean")
    assert result.exit_code == 0 and f"removed {project.masks}\n" in result.output
    assert list(project.masks.parents[1].iterdir()) == []


def test_all_ranks_stop_when_the_folder_is_held(project: Project) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pipeline"]
    stage = ["masks", *project.options, "--set", "masks.image_size=[32,16]", "--relabel"]
    before = project.files()
    with another_process(project.masks) as (pid, _):
        done = subprocess.run([*launch, *stage], cwd=ROOT, capture_output=True, text=True, timeout=100)
    message = f"masks is already running in {project.masks}: process {pid}"
    assert done.returncode != 0 and done.stderr.count(message) == 1, done.stderr
    assert "done" not in done.stdout and project.files() == before
