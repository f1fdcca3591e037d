"""SIGKILL while SynPed is rendered: what the next run leaves is what an undisturbed one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_project import ENVIRONMENT, ROOT

pytestmark = pytest.mark.slow
TINY = """
import sys
from pipeline.datasets.synped import plan
plan.SIZES["demo"] = plan.Size(8, 6, 2, 1, 2, 4, 2, 4, 2, 2, 6, 2)
from pipeline.cli.app import main
main(sys.argv[1:])
"""  # a hundred pictures
KILLS = 8


def start(folder: Path) -> subprocess.Popen[bytes]:
    words = ["data", "prepare", "--dataset", "synped_demo", "--data-root", folder / "data", "--runs", folder / "runs"]
    command = [sys.executable, "-c", TINY, *map(str, words)]
    with open(folder / "log", "ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True, env=ENVIRONMENT)


def pictures(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted((folder / "data").rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_rendering_is_killed_at_random_moments(tmp_path, campaign):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert start(whole).wait() == 0, (whole / "log").read_text()
    expected = pictures(whole)
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    met, row = 0, ("SIGKILL", "data (rendering)")
    for moment in np.random.default_rng(seed).random(KILLS) * 2:
        campaign.tried[row] += 1
        before, process = len(pictures(killed)), start(killed)
        while len(pictures(killed)) <= before and process.poll() is None:
            time.sleep(0.05)
        time.sleep(moment)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            met += 1
            campaign.met["SIGKILL"] += 1
        process.wait()
    assert start(killed).wait() == 0, (killed / "log").read_text()
    assert "Traceback" not in (killed / "log").read_text()
    assert met > 0, "no kill met the work"
    found = pictures(killed)
    assert [name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name)] == []
    campaign.survived[row] += KILLS
