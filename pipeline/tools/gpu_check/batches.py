"""Row `pinned reads`: batches through page-locked memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from pipeline.runtime.device import pick_device
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.loader import BatchLoader
from pipeline.tools.gpu_check.outcome import Outcome, judged
from pipeline.tools.gpu_check.setting import CheckSetting
from pipeline.tools.gpu_check.trainings import REFERENCE
from sorn.batch import Batch

WORKERS = 4
ROUNDS = 20  # passes over the pictures
BUSY = 4096  # rows of a matrix whose products keep the device busy while batches are copied


def pinned(setting: CheckSetting) -> Outcome:
    """Comparison of copied batches with the shards.

    They are copied while the device is busy, and compared when all memory was used again.
    """
    device = pick_device(setting.device)
    data = ShardDataset(setting.paths(REFERENCE).shard_index, "train")
    chosen = orders(len(data), setting.sizes.batch, 2 if setting.pretend else ROUNDS)
    pin = device.type == "cuda"
    wrong, arrived = [], copied(data, chosen, device, pin, _busy(device) if pin else lambda: None)
    for positions, batch in zip(chosen, arrived, strict=True):
        expected = data.__getitems__(positions.tolist())
        fields = ("image", "mask", "label", "index", "labelled")
        wrong += [name for name in fields if not torch.equal(getattr(batch, name).cpu(), getattr(expected, name))]
    rates = {name: _rate(data, chosen, device, way) for name, way in (("pinned", pin), ("plain", False))}
    figure = f"{len(chosen)} batches as read; {rates['pinned']:.0f} images/s, {rates['plain']:.0f} without"
    if not pin:
        figure += " (nothing is page-locked for a CPU)"
    wrong = [f"{len(wrong)} tensors arrived changed, first of {wrong[0]}"] if wrong else []
    return judged(figure, {f"{name}_images_per_second": rate for name, rate in rates.items()}, wrong)


def orders(images: int, batch: int, rounds: int) -> list[np.ndarray]:
    """Positions of all batches of some passes, each pass in another order."""
    rng = np.random.default_rng(0)
    passes = (rng.permutation(images) for _ in range(rounds))
    return [order[first : first + batch] for order in passes for first in range(0, images, batch)]


def copied(
    data: ShardDataset, chosen: list[np.ndarray], device: torch.device, pin: bool, busy: Callable[[], object]
) -> list[Batch]:
    """All batches on the device. busy: called before each copy."""
    arrived = []
    for batch in BatchLoader(data, chosen, WORKERS, pin):
        assert batch.image.is_pinned() == pin, "the loader read into memory of another kind"
        busy()
        arrived.append(batch.to(device, non_blocking=True))
    return arrived


def _busy(device: torch.device) -> Callable[[], object]:
    matrix = torch.rand(BUSY, BUSY, device=device)
    return lambda: matrix @ matrix


def _rate(data: ShardDataset, chosen: list[np.ndarray], device: torch.device, pin: bool) -> float:
    """Images per second that are read and copied."""
    start = time.perf_counter()
    arrived = copied(data, chosen, device, pin, lambda: None)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return sum(map(len, arrived)) / (time.perf_counter() - start)
