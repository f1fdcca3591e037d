"""`make tables` through the real Makefile, at the smallest size: killed at work, it goes on and repeats nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.runs.lock import held

ROOT = Path(__file__).parents[2]
CONFIG = """
base = "paper"
[masks]
image_size = [64, 32]
[model]
backbone = "resnet18"
semantic_channels = 8
[schedule]
epochs = 6
warmup_epochs = 1
milestones = [4]
[train]
init = "none"
batch_size = 4
[eval]
ranked_queries = 1
ranked_gallery = 2
"""
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
JOBS = ("sorn", "external-segmenter", "external-pose", "P1")
STEPS = 8  # of one seed: two of sorn and P1 each, four of the unit of the external segmenter

pytestmark = pytest.mark.slow


class Project:
    """A dataset of random pictures with label maps beside them, and the grid on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.run = folder, folder / "runs" / "tiny-import"
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        (folder / "maps").mkdir()
        for split, pids in (("train", range(4)), ("query", range(4, 7)), ("gallery", range(4, 7))):
            for pid in pids:
                for camid in {"train": (1, 2), "query": (1,), "gallery": (2, 3)}[split]:
                    name = f"{split}-{pid}-{camid}.png"
                    Image.fromarray(rng.integers(0, 255, (40, 20, 3), dtype=np.uint8)).save(folder / name)
                    Image.fromarray(rng.integers(0, 8, (40, 20), dtype=np.uint8)).save(folder / "maps" / name)
                    rows.append(f"{name},{pid},{camid},{split}")
        (folder / "tiny.csv").write_text("\n".join(rows) + "\n")
        (folder / "tiny.toml").write_text(CONFIG)

    def start(self, log: Path, *jobs: str, seeds: int = 2) -> subprocess.Popen[bytes]:
        options = f"--set masks.options.folder={self.folder / 'maps'} --set masks.options.table=sorn8 --device cpu"
        command = [
            "make", "--no-print-directory", "-C", str(ROOT), "tables", f"PYTHON={sys.executable}", "LABELER=import",
            f"DATASET={self.folder / 'tiny.csv'}", f"CONFIG={self.folder / 'tiny.toml'}", f"DATA_ROOT={self.folder}",
            f"RUNS={self.folder / 'runs'}", f"ARGS={options}", f"SEEDS={seeds}",
            "GRID=" + " ".join(f"--only {job}" for job in jobs),
        ]  # fmt: skip
        with open(log, "wb") as file:
            return subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, env=ENVIRONMENT
            )

    def make(self, *jobs: str, seeds: int = 2) -> str:
        log = self.folder / "make.log"
        code = self.start(log, *jobs, seeds=seeds).wait()
        assert code == 0, log.read_text()
        return log.read_text()

    def stamps(self) -> dict[str, int]:
        files = (self.run / "experiments").glob("*/*/stamp.json")
        return {path.relative_to(self.run).as_posix(): path.stat().st_mtime_ns for path in files}


def test_a_killed_grid_goes_on_and_runs_nothing_twice(tmp_path):
    project, log = Project(tmp_path), tmp_path / "killed.log"
    process = project.start(log, *JOBS)
    deadline = time.monotonic() + 600
    place = f"{STEPS + 1}/{2 * STEPS} sorn-seed1 train: running"
    while place not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    time.sleep(2)  # into the training, or the imports before it
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = project.stamps()
    assert len(finished) == STEPS and all("seed0" in name for name in finished)

    text = project.make(*JOBS)
    assert len(re.findall(r": fresh$", text, re.MULTILINE)) == STEPS
    assert len(re.findall(r": done in ", text)) == STEPS + text.count("data: done") + text.count("masks: done")
    after = project.stamps()
    assert {name: after[name] for name in finished} == finished and len(after) == 2 * STEPS

    assert project.make(*JOBS).count(": fresh\n") == 2 * STEPS
    assert project.stamps() == after

    tables = json.loads((project.run / "tables/tables.json").read_text())
    found = {(row["table"], row["name"]): row for row in tables["rows"]}
    for name in ("SPC loss, SORN", "SPC loss, Global Features", "colours, every stripe"):
        assert set(found["II", name]["figures"]["rank-1"]["seeds"]) == {"0", "1"}
    assert found["III", "w/o semantic, Global+Local Features+S"]["missing"] == {}
    assert "no joints" in found["III", "w/o semantic, Global+Local Features+P"]["missing"]["0"]
    assert found["Figure 8, P", "P = 1"]["missing"] == {}
    assert found["IV", "PCB"]["missing"]["1"] == "pcb-seed1 train: never finished"
    pages = [(project.run / "tables" / name).read_text() for name in ("tables.md", "tables.html")]
    assert all("own images of tiny.csv" in page for page in pages)


def test_a_failure_is_named_at_the_end_and_the_rest_is_run(tmp_path):
    project, log = Project(tmp_path), tmp_path / "failed.log"
    with held(project.run / "experiments/sorn-seed0/train", "train"):  # somebody else is at work there
        assert project.start(log, "sorn", "P1", seeds=1).wait() == 2  # make's own code
    text = log.read_text()
    assert re.search(r"^tables: sorn-seed0 train: train is already running in .*sorn-seed0/train", text, re.MULTILINE)
    assert "tables: sorn-seed0 eval: skipped, it needs sorn-seed0 train" in text and "Traceback" not in text
    assert (project.run / "experiments/P1-seed0/eval/report.json").is_file()
    tables = json.loads((project.run / "tables/tables.json").read_text())
    (row,) = (row for row in tables["rows"] if (row["table"], row["name"]) == ("I", "SORN"))
    assert row["missing"]["0"].startswith("sorn-seed0 train: ") and row["figures"]["mAP"] is None
