"""Trainings that processes share, through the Makefile."""

from __future__ import annotations

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from train_runs import Tiny, make_train


def curve(tiny: Tiny, runs: str) -> np.ndarray:
    events = EventAccumulator(str(tiny.folder / runs / "tiny-import" / "train" / "tensorboard")).Reload()
    names = [f"loss/{name}" for name in ("local", "global", "spc", "seg", "total")]
    return np.array([[event.value for event in events.Scalars(name)] for name in names])


def test_two_processes_follow_the_curve_of_one_and_repeat_themselves(tiny: Tiny) -> None:
    """With batch norm over both they compute what one process does, except for the order of sums."""
    sets = ("train.batch_norm=sync", "train.jitter=0.2")
    make_train(tiny, "alone", *sets)
    said = make_train(tiny, "shared", *sets, processes=2)
    assert "shared by 2 processes" in said and said.count("train: epoch 1/3") == 1
    one, two = curve(tiny, "alone"), curve(tiny, "shared")
    assert one.shape == (5, 15)
    # Batches of four random pictures multiply the noise of sums tenfold per step, in one process with more threads too.
    np.testing.assert_allclose(two[:, 0], one[:, 0], rtol=1e-4)
    np.testing.assert_allclose(two[:, :3], one[:, :3], rtol=1e-2)
    make_train(tiny, "again", *sets, processes=2)
    first, second = (tiny.folder / runs / "tiny-import" / "train" / "model.safetensors" for runs in ("shared", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_what_all_processes_refuse_is_said_once(tiny: Tiny) -> None:
    said = make_train(tiny, "refused", "train.batch_size=5", processes=2, fails=True)
    assert said.count("cannot be cut into 2 equal pieces") == 1
