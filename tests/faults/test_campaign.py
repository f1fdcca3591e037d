"""Faults of every kind in every stage: it goes on, or stops with one sentence; the rerun leaves the bytes of an
undisturbed run, and nothing that was good before is lost.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fault_cases import WORK, Case, interrupt
from tiny_project import ENVIRONMENT, ROOT, STAGES


@pytest.mark.slow
@pytest.mark.parametrize("stage", WORK)
def test_killed_at_random_moments(case, undisturbed, stage):
    seed = int.from_bytes(os.urandom(4), "little")
    rng = np.random.default_rng(seed)
    print(f"seed {seed}")
    met = 0
    for _ in range(14):
        killed = case("SIGKILL", stage)
        for moment in rng.random(2) ** 2 * undisturbed.seconds[stage]:
            interrupt(killed, moment, signal.SIGKILL)
            met += not (killed.project.folder_of(stage, killed.runs) / "stamp.json").is_file()
        killed.repaired()
    assert met > 5, "the kills did not meet the work"


@pytest.mark.parametrize(("stage", "moment"), [("masks", 0.05), ("train", 0.7), ("eval", 0.3)])
def test_killed_in_the_middle(case, stage, moment):
    killed = case("SIGKILL", stage)
    interrupt(killed, moment, signal.SIGKILL)
    killed.repaired()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("stage", WORK)
def test_asked_to_stop(case, stage, number):
    for moment in (0.05, 0.6):
        asked = case(number.name, stage)
        interrupt(asked, moment, number)
        assert "Traceback" not in asked.runs.with_name("killed.log").read_text()
        asked.repaired()


def largest_file(size: int) -> Callable[[], None]:
    """No file may grow beyond it: writing fails as on a full disk."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("stage", WORK)
def test_no_room_for_a_file(case, undisturbed, stage):
    own = [len(content) for name, content in undisturbed.tree.items() if name.startswith(f"{stage}/")]
    full = case("full disk (limit of a file's size)", stage)
    full.stopped_with_a_sentence(full.run(limits=largest_file(max(own) // 2)))
    full.repaired()


@pytest.mark.slow
@pytest.mark.parametrize("stage", WORK)
def test_a_small_disk(case, stage, tmp_path):
    """A tmpfs with room for what was there before, and for little more."""
    full = case("full disk (tmpfs)", stage)
    disk = tmp_path / "disk"
    disk.mkdir()
    used = sum(path.stat().st_size for path in full.runs.rglob("*") if path.is_file()) + 4096 * 64
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used}", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        full.campaign.tried[full.row] -= 1
        pytest.skip("mounting needs root")
    try:
        shutil.copytree(full.runs, disk / "runs")
        full.stopped_with_a_sentence(full.project.run(full.stage, disk / "runs"))
        subprocess.run(["mount", "-o", "remount,size=1g", disk], check=True)
        full.runs = disk / "runs"
        full.earlier = full.times()
        full.repaired()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("stage", WORK)
def test_a_folder_that_may_not_be_written(case, stage):
    closed = case("read-only folder", stage)
    folder = closed.project.folder_of(stage, closed.runs).parent
    folder.chmod(0o555)
    try:
        if may_write(folder):
            closed.campaign.tried[closed.row] -= 1
            pytest.skip("root writes anywhere")
        closed.stopped_with_a_sentence(closed.run(limits=without_root_rights))
    finally:
        folder.chmod(0o755)
    closed.repaired()


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def without_root_rights() -> None:
    """In a child: rights of files hold for it, also where root starts it, once it executes a program."""
    if LIBC is not None and os.geteuid() == 0:
        for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            LIBC.prctl(PR_CAPBSET_DROP, right)


def may_write(folder: Path) -> bool:
    """Whether such a child could, whatever the rights of the folder say."""
    code = f"import os, sys; sys.exit(not os.access({str(folder)!r}, os.W_OK))"
    return subprocess.run([sys.executable, "-c", code], preexec_fn=without_root_rights, check=False).returncode == 0


def own_files(case: Case, stage: str) -> list[Path]:
    """Of a finished stage: every file that holds results."""
    folder = case.project.folder_of(stage, case.runs)
    names = [name.partition("/")[2] for name, content in case.project.tree(case.runs, [stage]).items() if content]
    return [folder / name for name in names]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [Path.unlink, flip, empty], ids=["deleted", "bit flipped", "emptied"])
@pytest.mark.parametrize("stage", list(STAGES))
def test_a_finished_file_is_damaged(case, stage, damage, request):
    """All stages are called again, as `make eval` does: those whose file it was make it anew."""
    hurt = case(f"file {request.node.callspec.id.split('-')[-1]}", stage, done=True)
    damage(own_files(hurt, stage)[-1])
    hurt.repaired(all_stages=True)


@pytest.mark.slow
@pytest.mark.parametrize("stage", list(STAGES))
def test_a_bit_that_flips_unseen_is_found_by_verify(case, stage):
    """As on a failing disk: size and time of the file are as before."""
    hurt = case("bit flipped, time of writing kept", stage, done=True)
    for path in own_files(hurt, stage)[:: 1 if stage != "eval" else 4]:
        before = path.stat()
        flip(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        command = [sys.executable, "-m", "pipeline", "verify", "tiny-import", "--runs", str(hurt.runs)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert done.returncode != 0 and path.name in done.stdout + done.stderr, done.stdout + done.stderr
        path.unlink()
        hurt.project.run_all(hurt.runs)
    hurt.repaired(all_stages=True)


def test_the_clock_was_set_back(case):
    """Everything there is from tomorrow."""
    later = case("clock set back", "eval", done=True)
    tomorrow = time.time() + 86_400
    for path in later.runs.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    later.repaired(all_stages=True)


@pytest.mark.parametrize("stage", WORK)
def test_two_at_once(case, stage):
    both = case("two processes in one folder", stage)
    first, other = both.start(), None
    both.wait_for_work(first)
    other = both.run()
    assert first.wait() == 0
    if other.code:
        both.stopped_with_a_sentence(other)
        assert "already running" in other.text or "another process holds" in other.text
    both.repaired()


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_a_worker_is_killed_as_the_kernel_does_where_memory_ends(case):
    for moment in (0.0, 0.3, 1.0):
        lost = case("worker killed", "masks")
        process = lost.start("--backend", "loky", "--workers", "2")
        lost.wait_for_work(process)
        time.sleep(moment)
        for child in children(process.pid)[-1:]:
            os.kill(child, signal.SIGKILL)
        process.wait()
        assert "Traceback" not in lost.runs.with_name("killed.log").read_text()
        lost.repaired()


@pytest.mark.slow
@pytest.mark.parametrize("stage", WORK)
def test_nobody_reads_what_it_says(case, stage):
    """As with `| head -1`: the reader is gone."""
    alone = case("output closed", stage)
    process = subprocess.Popen(
        alone.project.command(stage, alone.runs), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=ENVIRONMENT,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    process.wait()
    alone.repaired()


@pytest.mark.slow
@pytest.mark.parametrize("stage", WORK)
def test_half_files_of_a_power_cut(case, undisturbed, stage):
    """Beginnings of every file, under the names that are given before one is finished."""
    left = case("half files left", stage)
    for name, content in undisturbed.tree.items():
        if name.startswith(f"{stage}/"):
            path = left.project.folder_of(stage, left.runs) / name.partition("/")[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[: len(content) // 2])
    left.repaired()


@pytest.mark.slow
def test_a_picture_is_damaged_and_comes_back(case, undisturbed):
    hurt = case("picture damaged for a while", "masks")
    picture = undisturbed.project.folder / "train-1-2.png"
    content, before = picture.read_bytes(), picture.stat()
    try:
        picture.write_bytes(content[:100])
        done = hurt.run()
        assert "Traceback" not in done.text, done.text
    finally:
        picture.write_bytes(content)
        os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    hurt.repaired(all_stages=True)
