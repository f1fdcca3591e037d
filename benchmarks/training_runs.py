"""Steps and whole trainings for bench_train, in processes of their own. Reads and writes a temporary folder."""

from __future__ import annotations

import contextlib
import io
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np

from pipeline.io.files import digest_file
from pipeline.runs.config import Config, Runtime, TrainConfig
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.run import Run
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from sorn.config import ScheduleConfig, SORNConfig
from sorn.sample import Sample, Status

BATCH = 16
PIDS = 50
Result = TypeVar("Result")


@dataclass(frozen=True)
class Speed:
    """Of one epoch. waiting: share of its time in which the step waited for the loader."""

    images_per_second: float
    waiting: float


def write_run(folder: Path, images: int, size: tuple[int, int]) -> Paths:
    """The masks stage's output as it would be: one shard of noise and its index."""
    paths = Paths("bench", "bench", folder, folder / "runs")
    labeler = {"name": "bench", "version": 1, "options": {}, "weights": None}
    rng = np.random.default_rng(0)
    shard = paths.shard("train", 0)
    with ShardWriter(shard, images, size, "bench", labeler) as writer:
        for i in range(images):
            image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
            mask = rng.integers(0, 8, size, dtype=np.uint8)
            writer.append(Sample(image, mask, i % PIDS, 0, f"train/{i:05d}.jpg", Status.OK))
    name = str(shard.relative_to(paths.shard_index.parent))
    entry = ShardEntry(name, "train", images, writer.content.digest, digest_file(shard))
    split = SplitEntry(images, "", "", {"ok": images}, 0.0)
    index = ShardIndex("bench", MadeBy.of(labeler), None, size, tuple(range(PIDS)), {"train": split}, (entry,))
    write_index(paths.shard_index, index)
    return paths


Step = Callable[[], None]


def step_rate(make: Callable[[], Step], steps: int) -> float:
    """Images/s of the median step, after one that warms caches and allocators."""
    import torch

    torch.manual_seed(0)
    step = make()
    step()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return BATCH / median(seconds)


def in_own_process(work: Callable[..., Result], *arguments: object) -> Result:
    """A fresh interpreter: nothing that was computed before counts towards its memory or sets its torch."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def train(paths: Paths, model: SORNConfig, epochs: int) -> None:
    """`sorn train` without its stamp."""
    from pipeline.training.loop import Training

    config = Config(
        model=model,
        train=TrainConfig(batch_size=BATCH, init="none"),
        schedule=ScheduleConfig(epochs=epochs),
        runtime=Runtime(device="cpu"),
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        training = Training(Run.of(config, paths), "0" * 64)
        training.run()
        training.publish()


def speeds(paths: Paths, model: SORNConfig, epochs: int) -> list[Speed]:
    """Of each epoch, as the training itself tells TensorBoard."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(paths, model, epochs)
    events = EventAccumulator(str(paths.tensorboard))
    events.Reload()
    rates, shares = (
        [event.value for event in events.Scalars(f"speed/{name}")]
        for name in ("images_per_second", "share_waiting_for_data")
    )
    return [Speed(rate, share) for rate, share in zip(rates, shares, strict=True)]


def peak_memory(paths: Paths, model: SORNConfig, epochs: int) -> float:
    """MiB: the most that the process has held, the interpreter included."""
    shutil.rmtree(paths.folder("train"), ignore_errors=True)
    train(paths, model, epochs)
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
