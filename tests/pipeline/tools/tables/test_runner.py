"""The grid at work, with a runner that only pretends: what is run, what fails, what is skipped, what stops it."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.runs.result_paths import TablesPaths
from pipeline.runtime.signals import Interruption
from pipeline.tools.tables.runner import Estimate, duration, read_attempts, run_child, run_grid


class Pretender:
    """Runs what it is given in no time; fails: name of a step -> exit code, its output goes to the log."""

    def __init__(self, grid, finish, fails=None, output="Error: nothing there. Put it there.\n") -> None:
        self.grid, self.finish, self.fails, self.output = grid, finish, fails or {}, output
        self.ran: list[str] = []
        self.steps = {step.command: step for unit in grid.units() for step in unit}

    def __call__(self, command, log, asked) -> int:
        step = self.steps[command]
        self.ran.append(step.name)
        log.write_text("something\n" + self.output if step.name in self.fails else "done\n")
        if step.name not in self.fails:
            self.finish(self.grid, step)
        return self.fails.get(step.name, 0)


@pytest.fixture
def tables(tmp_path) -> TablesPaths:
    return TablesPaths(tmp_path / "tables")


def test_what_is_fresh_is_not_run_again(make_grid, finish, tables, capsys):
    grid = make_grid()
    first, second = Pretender(grid, finish), Pretender(grid, finish)
    assert run_grid(grid, grid.units(), tables, first) == []
    assert first.ran == [step.name for unit in grid.units() for step in unit] and len(first.ran) == 12
    assert run_grid(grid, grid.units(), tables, second) == [] and second.ran == []
    assert "tables: 12/12 ext-seed1 eval: fresh" in capsys.readouterr().out
    assert len(read_attempts(tables)) == 12


def test_an_option_of_the_evaluation_trains_nothing_again(make_grid, finish, tables):
    grid, other = make_grid(), make_grid("eval.tau=0.4")
    run_grid(grid, grid.units(), tables, Pretender(grid, finish))
    again = Pretender(other, finish)
    run_grid(other, other.units(), tables, again)
    assert len(again.ran) == 6 and all(name.endswith("eval") for name in again.ran)


def test_a_failure_stops_what_needs_it_and_nothing_else(make_grid, finish, tables, capsys):
    grid = make_grid(seeds=1)
    runner = Pretender(grid, finish, {"plain-seed0 train": 1})
    failures = [failure.text() for failure in run_grid(grid, grid.units(), tables, runner)]
    log = tables.log("plain-seed0", "train")
    assert failures == [
        f"plain-seed0 train: nothing there. Put it there. (see {log})",
        "plain-seed0 eval: skipped, it needs plain-seed0 train",
        "ext-seed0 eval: skipped, it needs plain-seed0 train",
    ]
    assert runner.ran == ["sorn-seed0 train", "sorn-seed0 eval", "plain-seed0 train", "parts-seed0 train"]
    assert "tables: 3/6 plain-seed0 train: failed: nothing there. Put it there." in capsys.readouterr().out
    rows = [(row["experiment"], row["stage"], row["exit_code"], row["said"]) for row in read_attempts(tables)]
    assert rows[2] == ("plain-seed0", "train", "1", "nothing there. Put it there.")
    assert run_grid(grid, grid.units(), tables, Pretender(grid, finish)) == []


@pytest.mark.parametrize(
    ("code", "output", "said"),
    [
        (1, "last words\n\n", "last words"),
        (3, "", "something"),
        (-9, "", "ended by SIGKILL, as the system does when "),
    ],
)
def test_whatever_ends_a_step_is_told(make_grid, finish, tables, code, output, said):
    grid = make_grid(seeds=1)
    failures = run_grid(grid, grid.units(), tables, Pretender(grid, finish, {"sorn-seed0 eval": code}, output))
    assert len(failures) == 1 and failures[0].said.startswith(said)


@pytest.mark.parametrize("code", [143, 0])
def test_a_request_to_stop_ends_the_grid_after_its_child(make_grid, finish, tables, code, capsys):
    grid = make_grid()
    runner = Pretender(grid, finish, {"sorn-seed0 eval": code} if code else {})

    def interrupted(command, log, asked: Interruption) -> int:
        if len(runner.ran) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked.signal == signal.SIGTERM
        return runner(command, log, asked)

    with pytest.raises(SystemExit) as ended:
        run_grid(grid, grid.units(), tables, interrupted)
    assert ended.value.code == 128 + signal.SIGTERM and len(runner.ran) == 2
    assert read_attempts(tables)[-1]["said"] == ("stopped" if code else "")
    assert f"{'stopped' if code else 'done'}; the same command goes on from here" in capsys.readouterr().err


def test_a_child_is_asked_to_stop_and_its_output_is_kept(tmp_path):
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up', flush=True); time.sleep(60)"
    )
    asked, log = Interruption(), tmp_path / "log"

    def ask() -> None:
        while not (log.exists() and log.read_text()):
            time.sleep(0.02)
        asked.signal = signal.SIGTERM

    thread = threading.Thread(target=ask)
    thread.start()
    assert run_child((sys.executable, "-c", code), log, asked) == 7
    thread.join()
    assert run_child((sys.executable, "-c", "print('again')"), log, Interruption()) == 0
    assert log.read_text() == "up\nagain\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_grid_takes_its_child_with_it(tmp_path):
    child = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    parent = (
        "import sys; from pathlib import Path; from pipeline.runtime.signals import Interruption\n"
        "from pipeline.tools.tables.runner import run_child\n"
        f"run_child((sys.executable, '-c', {child!r}), Path({str(tmp_path / 'log')!r}), Interruption())"
    )
    log = tmp_path / "log"
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", parent])
    while not (log.exists() and log.read_text()):
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    status = Path(f"/proc/{int(log.read_text())}/stat")
    deadline = time.monotonic() + 10
    while status.exists() and status.read_text().split()[2] != "Z":  # a container's init may never bury it
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.02)


def test_the_rest_is_estimated_from_what_was_run():
    estimate = Estimate({"train": 3, "eval": 3})
    assert estimate.text() == ""
    estimate.ran("train", 600)
    assert estimate.text() == "; more than 20 min left"
    estimate.ran("eval", 60)
    assert estimate.text() == "; about 22 min left"
    estimate.dropped("train")
    estimate.ran("train", 1200)
    assert estimate.text() == "; about 2 min left"
    assert [duration(seconds) for seconds in (5.4, 119, 121, 3600, 9000)] == [
        "5 s",
        "119 s",
        "2 min",
        "60 min",
        "2 h 30 min",
    ]
