"""Evaluation of a stored feature bank, in a process of its own: the most memory that it holds, and its time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sorn.features import FeatureBank

QUERIES, PERSONS, IMAGES = 2000, 1000, 20  # of queries; who are asked for; gallery images of each person
WIDTH, STRIPES = 512, 3  # of a ResNet-18: 8 kB per image
PIECE = 8192


def pieces(side: str, images: int, seed: int) -> Iterator[FeatureBank]:
    """Random features around one centre per person; a tenth of the stripes is hidden."""
    rng = np.random.default_rng(seed)
    persons = -(-images // IMAGES) if side == "gallery" else PERSONS
    for first in range(0, images, PIECE):
        number = np.arange(first, min(first + PIECE, images))
        pid = number % persons
        values = 4 * rng.standard_normal((len(number), 1 + STRIPES, WIDTH), np.float32)
        known = pid < PERSONS
        centres = np.random.default_rng(99).standard_normal((PERSONS, 1 + STRIPES, WIDTH), np.float32)
        values[known] += centres[pid[known]]
        shown = np.where(rng.random((len(number), STRIPES)) < 0.1, 0.0, 1.0).astype(np.float32)
        names = np.array([f"{side}/{i % persons:06d}/{i:07d}.jpg" for i in number])
        yield FeatureBank(values[:, 0], values[:, 1:], shown, pid, rng.integers(1, 7, len(number)), names)


def write(path: Path, gallery: int) -> None:
    from pipeline.features.store import BankRows, join_banks

    asked, searched = (
        BankRows(count, pieces(side, count, 1)) for side, count in (("query", QUERIES), ("gallery", gallery))
    )
    join_banks(path, asked, searched, {"config": "{}", "checkpoint_sha256": "", "fingerprint": ""})


def evaluate(path: Path) -> tuple[float, float, float]:
    """MiB at the most, those before, seconds: all figures of the eval stage that need no pictures."""
    from pipeline.datasets.manifest import Protocol
    from pipeline.evaluation.evaluate import select_pair
    from pipeline.evaluation.pair_scores import CountedPairs, PairTask, certainty
    from pipeline.evaluation.scores import RankingTask, score
    from pipeline.features.store import read_banks
    from pipeline.runs.config import EvalConfig

    options, protocol = EvalConfig(), Protocol("default", "All.")
    before, start = memory_mib("VmHWM"), time.perf_counter()
    pair = select_pair(read_banks(path), protocol, options.visibility)
    pairs = CountedPairs.none(PairTask(*pair, "made up", "test", options))
    score(RankingTask(*pair, protocol, options), [], beside=pairs.consumers)
    certainty(pairs, [pairs.calibration("")])
    return memory_mib("VmHWM"), before, time.perf_counter() - start


def memory_mib(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def peak(gallery: int) -> tuple[float, float, float]:
    """As `evaluate`, of a made-up features.h5 with so many gallery images."""
    from training_runs import in_own_process

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.h5"
        in_own_process(write, path, gallery)
        return in_own_process(evaluate, path)
