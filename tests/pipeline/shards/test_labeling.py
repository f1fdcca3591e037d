"""Shards of a torch labeler: the same bytes however many threads, processes, ranks or machines make them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from record_tables import table_of

from pipeline.cli.app import main
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.labelers.base import Source
from pipeline.runs.config import Runtime
from pipeline.runtime import distributed
from pipeline.shards import jobs
from pipeline.shards import labeling as shard_labeling
from pipeline.shards.format import ShardReader
from pipeline.shards.labeling import Labeling, ShardLabeler, cut
from pipeline.shards.plan import PlannedShard
from sorn.danet import DANet

ROOT = Path(__file__).parents[3]
SIZE = (48, 32)
IMAGES = {"train": 23, "query": 9}  # odd numbers: a convolution of an odd batch is where threads tell


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random pictures with a CSV, and a DANet of random weights."""
    folder = tmp_path_factory.mktemp("labeling")
    rng = np.random.default_rng(0)
    rows = ["path,pid,camid,split"]
    for split, count in (*IMAGES.items(), ("gallery", 5)):
        for i in range(count):
            coarse = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((40, 90)).save(folder / f"{split}-{i:02d}.jpg")
            rows.append(f"{split}-{i:02d}.jpg,{i % 3 + (0 if split == 'train' else 3)},{1 + i % 2},{split}")
    (folder / "small.csv").write_text("\n".join(rows) + "\n")
    torch.manual_seed(0)
    made = {"network": "danet", "backbone": "resnet18", "image_size": [64, 32]}
    checkpoints.save_weights(folder / "danet.safetensors", DANet("resnet18").state_dict(), made)
    return folder


def labeling(folder: Path, runs: Path, threads: int = 1, **runtime: object) -> Labeling:
    return Labeling(
        Source(Manifest("small", "Small"), folder),
        "danet",
        {"weights": str(folder / "danet.safetensors"), "precision": "fp32"},
        "none",
        {},
        frozenset({"train", "query"}),
        SIZE,
        "f",
        runs / "index.json",
        Runtime(device="cpu", **runtime),  # type: ignore[arg-type]
        threads,
    )


def shards(folder: Path, runs: Path) -> list[PlannedShard]:
    planned = []
    for split, count in IMAGES.items():
        records = table_of(
            ImageRecord(f"{split}/{i}", folder / f"{split}-{i:02d}.jpg", i % 3, 1 + i % 2, split) for i in range(count)
        )
        for number, first in enumerate(range(0, count, 13)):
            path = runs / split / f"shard-{number}.h5"
            planned.append(PlannedShard(path, split, records[first : first + 13]))
    return planned


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*.h5")))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def written(folder: Path, runs: Path, threads: int) -> dict[str, bytes]:
    labeler = ShardLabeler(labeling(folder, runs, threads))
    planned = shards(folder, runs)
    labeler.prepare(table_of(record for shard in planned for record in shard.records))
    assert [path for path, _ in labeler.write(planned)] == [shard.path for shard in planned]
    return tree(runs)


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards as one thread makes them."""
    found = written(folder, tmp_path_factory.mktemp("alone"), 1)
    assert len(found) == 3
    return found


def test_threads_change_no_byte_and_torch_gets_its_own_back(
    folder: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert written(folder, tmp_path, 3) == alone
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    seen = ShardReader(tmp_path / "train" / "shard-0.h5")
    assert len({seen.mask(row).tobytes() for row in range(len(seen))}) > 1, "the masks say nothing"


@pytest.mark.parametrize("backend", ["loky", "dask", "ray"])
def test_processes_change_no_byte(
    folder: Path, alone: dict[str, bytes], tmp_path: Path, backend: str, request: pytest.FixtureRequest
) -> None:
    for package in jobs.PACKAGES.get(backend, ()):
        pytest.importorskip(package, reason=f"backend {backend} needs the package {package}")
    request.getfixturevalue(f"{backend}_cluster")
    planned = shards(folder, tmp_path)
    contents = dict(jobs.write_shards(labeling(folder, tmp_path, backend=backend, workers=2), planned))
    assert tree(tmp_path) == alone
    assert {path: content.digest for path, content in contents.items()} == {
        shard.path: ShardReader(shard.path).content_digest for shard in planned
    }
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    broken = labeling(folder, tmp_path / "broken", backend=backend, workers=2)
    broken.options["weights"] = str(tmp_path / "broken.safetensors")
    with pytest.raises(UserError, match=r"broken\.safetensors is truncated or no safetensors file.*copy it again"):
        list(jobs.write_shards(broken, shards(folder, tmp_path / "broken")))


@pytest.fixture
def loky_cluster() -> None:
    """joblib starts the processes itself."""


@pytest.fixture
def dask_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        yield


@pytest.fixture
def ray_cluster() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_a_backend_that_is_not_there_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError, match=r"backend 'ray' needs the package ray, .*Run: pip install ray"):
            jobs.require_backend("ray")
        with pytest.raises(UserError, match=r"Run: pip install dask distributed"):
            jobs.require_backend("dask")
        jobs.require_backend("loky")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    with pytest.raises(UserError, match=r"needs a cluster.*set DASK_SCHEDULER_ADDRESS=tcp://"):
        jobs.require_backend("dask")


def test_a_process_that_is_killed_is_told_in_words(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "write_shard", lambda work, shard: os._exit(9))
    with pytest.raises(UserError, match=r"a process of backend 'loky' ended .*TerminatedWorker.*use fewer --workers"):
        list(jobs.write_shards(labeling(folder, tmp_path, backend="loky", workers=2), shards(folder, tmp_path)))


def test_batches_get_smaller_and_depend_on_the_shard_alone() -> None:
    records = [ImageRecord(str(i), Path(), 0, 0, "train") for i in range(1000)]
    batches = list(cut(records))
    assert [record for batch in batches for record in batch] == records
    sizes = [len(batch) for batch in batches]
    assert sizes[:8] == [64, 64, 64, 64, 64, 64, 64, 64] and sizes[8] == (1000 - 8 * 64) // 8
    assert sizes == sorted(sizes, reverse=True) and sizes[-2] == shard_labeling.SMALLEST_BATCH
    assert list(cut(records[:0])) == [] and [len(batch) for batch in cut(records[:11])] == [8, 3]


def test_ranks_are_what_torchrun_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert distributed.here() == distributed.Process(0, 1, 0, 1)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert distributed.here() == distributed.Process(5, 8, 1, 4)
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UserError, match=r"WORLD_SIZE=two .*are not numbers of processes"):
        distributed.here()
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name)
    assert distributed.meet(value="alone") == "alone"


def options(folder: Path, runs: Path, *more: str) -> list[str]:
    """Of a masks stage with DANet on the small dataset, as on the command line."""
    settings = (f"options.weights={folder / 'danet.safetensors'}", "options.precision=fp32", "shard_images=7")
    overrides = [word for text in (*settings, "image_size=[48,32]", *more) for word in ("--set", f"masks.{text}")]
    return [
        *("--dataset", str(folder / "small.csv"), "--labeler", "danet", "--config", "paper", "--runs", str(runs)),
        *("--device", "cpu", *overrides),
    ]


def in_process(words: list[str]) -> None:
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def masks_of(runs: Path) -> dict[str, bytes]:
    folder = runs / "small-danet" / "masks"
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "stamp.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_two_ranks_give_the_same_bytes_as_one(folder: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for words in (["data", "prepare"], ["masks"]):
        in_process([*words, *options(folder, one)])
    made = masks_of(one)
    assert {f"train/shard-{number:05d}.h5" for number in range(4)} | {"index.json", "labels.json"} <= set(made)
    kept = two / "small-danet" / "masks" / "train"  # what an earlier run has left: one shard, and half of another
    kept.mkdir(parents=True)
    (kept / "shard-00001.h5").write_bytes(made["train/shard-00001.h5"])
    (kept / "shard-00002.h5.tmp").write_bytes(made["train/shard-00002.h5"][:5000])
    written = (kept / "shard-00001.h5").stat().st_mtime_ns
    command = ["make", "--no-print-directory", "-C", str(ROOT), "masks", f"PYTHON={sys.executable}", "NPROC=2"]
    command += [f"DATASET={folder / 'small.csv'}", f"RUNS={two}", f"ARGS={' '.join(options(folder, two))}"]
    done = subprocess.run(command, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "Traceback" not in text, text
    assert "masks: process 1 has done its share" in text
    assert text.count("masks: never finished") == text.count("masks: done in") == 1, text
    assert masks_of(two) == made and (kept / "shard-00001.h5").stat().st_mtime_ns == written


def test_what_a_rank_cannot_do_is_said_once(folder: Path, tmp_path: Path) -> None:
    in_process(["data", "prepare", *options(folder, tmp_path)])
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pipeline"]
    done = subprocess.run(
        [*launch, "masks", *options(folder, tmp_path, "options.batch=0")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode != 0 and done.stderr.count("Error: labeler danet: batch = 0: expected 1 or more") == 1
    assert masks_of(tmp_path) == {}


def test_a_stage_that_ranks_cannot_divide_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(main, ["data", "prepare", *options(folder, tmp_path)])
    assert done.exit_code == 1 and "the work of data cannot be divided between 2 processes of torchrun" in done.output
