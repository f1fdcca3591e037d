"""Runner of a check: verdicts, processes and the time that is left, with rows that cost nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.tools.gpu_check.outcome import FAIL, NO_TIME, NOT_THERE, PASS
from pipeline.tools.gpu_check.plan import CheckRow
from pipeline.tools.gpu_check.runner import RowResult, run_rows
from pipeline.tools.gpu_check.setting import CheckSetting

TESTS = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def rows_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))


def row(name: str, seconds: float = 100, needed: bool = False) -> CheckRow:
    return CheckRow(name, f"what {name} shows", f"check_rows:{name}", seconds, needed)


def run(folder: Path, *rows: CheckRow, seconds: float = 300) -> list[RowResult]:
    said: list[RowResult] = []
    results = run_rows(rows, CheckSetting(folder, "cuda:7", True), seconds, said.append)
    assert said == results and [result.row for result in results] == list(rows)
    return results


def test_every_row_has_a_verdict_and_its_reason(tmp_path: Path) -> None:
    good, missing, refused, broken, gone = run(
        tmp_path, *map(row, ("passes", "misses", "refuses", "breaks", "vanishes"))
    )
    assert (good.outcome.verdict, good.outcome.figure, good.log) == (PASS, "on cuda:7", ())
    assert good.outcome.values == {"pretend": 1.0}
    assert (missing.outcome.verdict, missing.outcome.reason) == (NOT_THERE, "a thing")
    assert refused.outcome.reason == "option = 3 is wrong. Use another one: --set option=2"
    assert broken.outcome.reason == "RuntimeError: CUDA error: an illegal memory access"
    assert broken.log[0] == "what it said before" and any("Traceback" in line for line in broken.log)
    assert gone.outcome.reason == "its process ended with exit code 9, without an outcome"
    assert gone.log == ("the driver is gone",)
    assert {one.outcome.verdict for one in (refused, broken, gone)} == {FAIL}


def test_a_row_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    slow, after = run(tmp_path, row("sleeps", seconds=6), row("passes"))
    assert slow.outcome.verdict == FAIL and slow.outcome.reason.endswith("s, the most that it may take")
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.1)
    assert not alive(child) and after.outcome.verdict == PASS


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_does_not_fit_into_the_time_is_named_and_fails_nothing(tmp_path: Path) -> None:
    begun, left = run(tmp_path, row("sleeps", seconds=20), row("passes", seconds=30), seconds=7)
    assert begun.outcome.verdict == left.outcome.verdict == NO_TIME
    assert "the rest of the time for all rows" in begun.outcome.reason
    assert left.outcome.reason == "0 s were left of 7, and it takes up to 30" and left.seconds == 0


def test_nothing_begins_after_a_row_that_is_needed_and_fails(tmp_path: Path) -> None:
    _, *others = run(tmp_path, row("breaks", needed=True), row("passes"), row("misses", needed=True), row("passes"))
    assert [(one.outcome.verdict, one.outcome.reason) for one in others] == [(NO_TIME, "it needs the row 'breaks'")] * 3
