"""SIGKILL at random moments of the masks stage: what the next run leaves is what an undisturbed one does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
IMAGES, SHARD_IMAGES = 240, 8


class Project:
    """A dataset of random pictures with label maps beside them, its records, and an undisturbed run of the stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        (folder / "maps").mkdir()
        for i in range(IMAGES):
            split = "train" if i % 4 else ("query", "gallery")[i // 4 % 2]
            Image.fromarray(rng.integers(0, 256, (128, 64, 3), dtype=np.uint8)).save(folder / f"{i:03d}.jpg")
            label = np.kron(rng.integers(0, 8, (16, 8), dtype=np.uint8), np.ones((8, 8), np.uint8))
            Image.fromarray(label).save(folder / "maps" / f"{i:03d}.png")
            rows.append(f"{i:03d}.jpg,{i % 5 + 5 * (split != 'train')},{1 + (split == 'gallery')},{split}")
        (folder / "d.csv").write_text("\n".join(rows) + "\n")
        assert self.start(folder / "runs", "data", "prepare").wait() == 0
        self.seconds = self.run(folder / "runs")
        self.expected = self.tree(folder / "runs")
        assert len([name for name in self.expected if name.endswith(".h5")]) >= IMAGES // SHARD_IMAGES

    def start(self, runs: Path, *stage: str) -> subprocess.Popen[bytes]:
        options = ["--dataset", str(self.folder / "d.csv"), "--labeler", "import", "--runs", str(runs)]
        options += ["--config", "demo", "--device", "cpu"]
        sets = (f"options.folder={self.folder / 'maps'}", "options.table=sorn8", f"shard_images={SHARD_IMAGES}")
        options += [word for text in sets for word in ("--set", f"masks.{text}")]
        command = [sys.executable, "-m", "pipeline", *stage, *options]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, runs: Path) -> float:
        """Run the stage to its end; the seconds it worked on its folder."""
        process = self.start(runs, "masks")
        start = self.wait_for_folder(runs, process)
        assert process.wait() == 0
        return time.monotonic() - start

    def wait_for_folder(self, runs: Path, process: subprocess.Popen[bytes]) -> float:
        while not (runs / "d-import" / "masks").is_dir() and process.poll() is None:
            time.sleep(0.002)
        return time.monotonic()

    @staticmethod
    def tree(runs: Path) -> dict[str, bytes]:
        """All files of the stage but its stamp, which holds times."""
        folder = runs / "d-import" / "masks"
        assert (folder / "stamp.json").is_file()
        files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "stamp.json")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("killed"))


def kill_and_repair(project: Project, runs: Path, moments: list[float]) -> list[int]:
    """Kill one run after another at these shares of an undisturbed run's time, each going on where the last was; then
    let one finish. How many shards each has left.
    """
    shutil.copytree(project.folder / "runs" / "d", runs / "d")
    left = []
    for moment in moments:
        process = project.start(runs, "masks")
        time.sleep(max(0.0, project.wait_for_folder(runs, process) + moment * project.seconds - time.monotonic()))
        process.send_signal(signal.SIGKILL)
        process.wait()
        left.append(len(list(runs.rglob("shard-*.h5"))))
    project.run(runs)
    assert project.tree(runs) == project.expected
    return left


def test_a_run_that_was_killed_ends_with_the_same_bytes(project: Project, tmp_path: Path) -> None:
    left = kill_and_repair(project, tmp_path / "runs", [0.2, 0.3])
    assert 0 < left[0] <= left[1]


@pytest.mark.slow
def test_twenty_runs_killed_at_random_moments_end_with_the_same_bytes(project: Project, tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4), "little")
    shares = np.random.default_rng(seed).random(20) ** 2  # more of them early, while shards are written
    left = [kill_and_repair(project, tmp_path / str(i), [float(share)])[0] for i, share in enumerate(shares)]
    print(f"seed {seed}, shards left by the kills: {left}")
    everything = sum(name.endswith(".h5") for name in project.expected)
    assert len({n for n in left if n < everything}) > 3, "the kills did not meet the work"
