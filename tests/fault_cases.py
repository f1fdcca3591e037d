"""A run that a fault is done to, for tests/faults: what must be there when it has been repaired."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tiny_project import STAGES, Finished, TinyProject

WORK = ("masks", "train", "eval")  # stages that take time
BEFORE = {stage: tuple(STAGES)[:number] for number, stage in enumerate(STAGES)}


class Case:
    """A run in which all stages before `stage` are done, and what must be there when it is. Counts itself."""

    def __init__(self, undisturbed, campaign, runs: Path, fault: str, stage: str, done: bool = False) -> None:
        self.project: TinyProject = undisturbed.project
        self.undisturbed, self.campaign, self.runs, self.stage = undisturbed, campaign, runs, stage
        self.row = (fault, stage)
        campaign.tried[self.row] += 1
        shutil.copytree(undisturbed.runs, runs)
        if not done:
            for later in list(STAGES)[list(STAGES).index(stage) :]:
                shutil.rmtree(self.project.folder_of(later, runs))
        self.earlier = self.times()

    def times(self) -> dict[str, int]:
        """Every file of the stages before -> when it was written.

        The stamp of data is left out: it follows the runs, which are a copy here. So is the calibration beside the
        checkpoint, which the evaluation writes.
        """
        folders = [self.project.folder_of(stage, self.runs) for stage in BEFORE[self.stage]]
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        other = {("data", "stamp.json"), ("train", "calibration.json")}
        others = {self.project.folder_of(stage, self.runs) / name for stage, name in other}
        return {str(path): path.stat().st_mtime_ns for path in files if path not in others}

    def run(self, *options: str, limits: Callable[[], None] | None = None) -> Finished:
        return self.project.run(self.stage, self.runs, *options, limits=limits)

    def start(self, *options: str, ranks: int = 1) -> subprocess.Popen[bytes]:
        return self.project.start(self.stage, self.runs, self.runs.with_name("killed.log"), *options, ranks=ranks)

    def wait_for_work(self, process: subprocess.Popen[bytes]) -> None:
        """Imports take most of a tiny stage's time; its folder appears when it begins to work."""
        folder = self.project.folder_of(self.stage, self.runs)
        while not folder.is_dir() and process.poll() is None:
            time.sleep(0.002)

    def stopped_with_a_sentence(self, done: Finished) -> None:
        assert done.code != 0 and "Traceback" not in done.text, done.text
        lines = [line for line in done.text.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, done.text

    def repaired(self, all_stages: bool = False) -> None:
        """What the next run leaves, and that stages before were neither touched nor needed again."""
        if all_stages:
            self.project.run_all(self.runs)
        else:
            done = self.run()
            assert done.code == 0 and "Traceback" not in done.text, done.text
            assert self.times() == self.earlier
        found = self.project.tree(self.runs, [*BEFORE[self.stage], self.stage])
        expected = {name: self.undisturbed.tree[name] for name in self.undisturbed.tree if self.covers(name)}
        assert found.keys() == expected.keys()
        assert [name for name in found if found[name] != expected[name]] == []
        self.campaign.survived[self.row] += 1

    def covers(self, name: str) -> bool:
        return name.partition("/")[0] in (*BEFORE[self.stage], self.stage)


def interrupt(case: Case, moment: float, number: signal.Signals) -> None:
    """Send the signal to all processes of a stage, so many seconds after it began to work."""
    process = case.start()
    case.wait_for_work(process)
    time.sleep(moment)
    if process.poll() is None:
        os.killpg(process.pid, number)
        case.campaign.met[number.name] += 1
    process.wait()
