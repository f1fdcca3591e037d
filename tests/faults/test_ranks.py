"""A rank of torchrun is lost: the others stop, and the work that is finished is kept."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from fault_cases import WORK, Case

pytestmark = pytest.mark.slow
RANKS = 2


def ranks_of(launcher: int) -> list[int]:
    """Processes that torchrun has started, by their numbers there."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            number = next((int(word[5:]) for word in words if word.startswith(b"RANK=")), None)
            if parent == launcher and number is not None:
                found[number] = int(entry.name)
    return [found[number] for number in sorted(found)]


def shared(case: Case) -> Case:
    """An undisturbed run by two ranks: a training by two divides its batches otherwise than one by itself."""
    assert case.start(ranks=RANKS).wait() == 0, case.runs.with_name("killed.log").read_text()
    return case


@pytest.mark.parametrize("number", range(RANKS))
@pytest.mark.parametrize("stage", WORK)
def test_a_rank_is_lost(case, campaign, stage, number):
    undisturbed = shared(case("nothing", f"{stage}"))
    campaign.tried[undisturbed.row] -= 1
    expected = undisturbed.project.tree(undisturbed.runs, [stage])
    for moment in (0.2, 1.0):
        lost = case("rank of torchrun lost", stage)
        process = lost.start(ranks=RANKS)
        lost.wait_for_work(process)
        time.sleep(moment)
        pids = ranks_of(process.pid)
        if number < len(pids):
            os.kill(pids[number], signal.SIGKILL)
            assert process.wait() != 0
        else:
            process.wait()  # it was done before
        assert shared(lost).times() == lost.earlier
        found = lost.project.tree(lost.runs, [stage])
        assert [name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name)] == []
        campaign.survived[lost.row] += 1
        shutil.rmtree(lost.runs)
