"""Labels by BlazePose's real networks, by one process and by several: the shards have the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from blazepose_networks import require_real
from PIL import Image

from pipeline.datasets.synped.plan import SIZES, make_plan
from pipeline.datasets.synped.render import render

ROOT = Path(__file__).parents[3]
IMAGES, SHARD = 4, 2
RANKS = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def networks() -> Path:
    return require_real()


@pytest.fixture(scope="module")
def dataset(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of pictures of SynPed."""
    folder, plan, rows = tmp_path_factory.mktemp("pictures"), make_plan(SIZES["demo"], 0), ["path,pid,camid,split"]
    chosen = [spec.index for spec in plan.images if spec.split == "train"][:IMAGES]
    for number, index in enumerate(chosen):
        Image.fromarray(render(plan, index).image).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{number // 2},{number % 2},train")
    (folder / "few.csv").write_text("\n".join(rows) + "\n")
    return folder / "few.csv"


def shards(dataset: Path, runs: Path, *options: str, launcher: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Shards of the dataset, labelled by a process with these options; by those of a launcher where one is given."""
    common = ["--dataset", str(dataset), "--data-root", str(dataset.parent), "--runs", str(runs)]
    common += [
        "--labeler",
        "blazepose",
        "--set",
        f"masks.shard_images={SHARD}",
        "--set",
        f"masks.options.folder={require_real()}",
        "--set",
        "masks.image_size=[64,32]",
    ]
    for words in (["pipeline", "data", "prepare", *common], [*launcher, "pipeline", "masks", *common, *options]):
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in (runs / "few-blazepose" / "masks").rglob("shard-*.h5")}


def test_ranks_and_worker_processes(dataset: Path, tmp_path: Path) -> None:
    alone = shards(dataset, tmp_path / "alone", "--workers", "1")
    assert len(alone) == IMAGES // SHARD
    assert shards(dataset, tmp_path / "ranks", launcher=RANKS) == alone
    assert shards(dataset, tmp_path / "loky", "--backend", "loky", "--workers", "2") == alone
