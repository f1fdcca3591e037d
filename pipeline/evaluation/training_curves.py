"""Curves of a training, from its TensorBoard files: losses, rate, val figures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

POINTS = 150  # of a curve at most: more cannot be told apart, and a page stays small
LOSS, RATE, VAL, SPEED = "loss/", "lr", "val/", "speed/images_per_second"  # tags of pipeline.training.log


@dataclass(frozen=True)
class TrainingCurves:
    """Curves of one training.

    x: in finished epochs, rising; in steps where the training ended before its first epoch did. losses: name -> mean
    losses of the steps around x. rate: learning rate at x. validated: epochs after which the val split was evaluated.
    val: figure -> a fraction per validated epoch. unit: "epoch" or "step".
    """

    x: Sequence[float]
    losses: dict[str, list[float]]
    rate: list[float]
    validated: Sequence[float]
    val: dict[str, list[float]]
    unit: str


def read_curves(folder: Path) -> TrainingCurves | None:
    """Curves from a folder of TensorBoard files; None without losses in it.

    A file that cannot be read is logged, and leaves no curves: a report does not fail for them.
    """
    if not any(folder.glob("events.out.tfevents.*")):
        return None
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # takes a second

    try:
        found: Any = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1}).Reload()
        scalars = {tag: _points(found.Scalars(tag)) for tag in found.Tags()["scalars"]}
    except Exception as error:  # its readers raise whatever protobuf raises for a damaged file
        logger.warning(f"no curves of the training: the files in {folder} cannot be read: {error}")
        return None
    losses = {tag.removeprefix(LOSS): points for tag, points in scalars.items() if tag.startswith(LOSS)}
    if not losses:
        return None
    ends = scalars.get(SPEED)
    per_epoch = float(ends[0, 0]) if ends is not None else 1.0
    steps, _ = _binned(next(iter(losses.values())))
    val = {tag.removeprefix(VAL): points for tag, points in scalars.items() if tag.startswith(VAL)}
    validated = next(iter(val.values()))[:, 0] if val else np.empty(0)
    return TrainingCurves(
        (steps / per_epoch).tolist(),
        {name: _binned(points)[1].tolist() for name, points in losses.items()},
        _binned(scalars[RATE])[1].tolist() if RATE in scalars else [],
        (validated / per_epoch).tolist(),
        {name: points[:, 1].tolist() for name, points in val.items()},
        "epoch" if ends is not None else "step",
    )


def _points(events: Sequence[Any]) -> np.ndarray:
    """Steps and values, float64 [n, 2], steps rising; of a step that was repeated after a kill, the last value."""
    last = {event.step: event.value for event in events}
    return np.array(sorted(last.items()), np.float64).reshape(-1, 2)


def _binned(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean steps and mean values of at most POINTS groups of neighbours, all as large but the last."""
    size = -(-len(points) // POINTS)
    groups = [points[first : first + size] for first in range(0, len(points), size)]
    means = np.array([group.mean(axis=0) for group in groups])
    return means[:, 0], means[:, 1]
