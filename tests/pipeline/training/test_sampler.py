"""Images of a step: every image once per epoch, the same in every process, cut into equal pieces."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.runs.config import TrainConfig
from pipeline.runtime.distributed import Process
from pipeline.training.sampler import BatchOrder

TRAIN = TrainConfig(batch_size=8, seed=3)


def order(images: int = 30, world: int = 1, number: int = 0, **options: object) -> BatchOrder:
    return BatchOrder(images, dataclasses.replace(TRAIN, **options), Process(number, world), least=2)  # type: ignore[arg-type]


def test_an_epoch_takes_every_image_once_in_an_order_of_its_own() -> None:
    kept = order(last_batch="keep")
    epochs = [np.concatenate([kept.batch(epoch, step) for step in range(kept.steps)]) for epoch in (0, 1, 0)]
    assert [len(kept.batch(0, step)) for step in range(kept.steps)] == [8, 8, 8, 6]
    assert sorted(epochs[0].tolist()) == list(range(30)) == sorted(epochs[1].tolist())
    assert np.array_equal(epochs[0], epochs[2]) and not np.array_equal(epochs[0], epochs[1])
    assert order().steps == 3 and np.array_equal(order().batch(0, 2), kept.batch(0, 2))
    assert not np.array_equal(order(seed=4).batch(0, 0), kept.batch(0, 0))


def test_a_kept_last_batch_of_one_image_is_left_out() -> None:
    """Batch normalisation needs two."""
    kept = order(17, last_batch="keep")
    assert (kept.steps, kept.kept, kept.left_out) == (2, 0, 1)
    assert [len(batch) for batch in kept.rest(0, 0)] == [8, 8]
    assert [order(18, last_batch="keep").steps, order(16, last_batch="keep").steps] == [3, 2]
    assert (order(18).left_out, order(18, last_batch="keep").left_out) == (2, 0)
    alone = dataclasses.replace(kept, least=1)  # a segmenter has no mean over positions
    assert (alone.steps, alone.left_out) == (3, 0)


def test_ranks_share_every_batch_of_one_process() -> None:
    alone = order()
    ranks = [order(world=2, number=number) for number in (0, 1)]
    for step in range(alone.steps):
        parts = [rank.rest(0, 0)[step] for rank in ranks]
        assert [len(part) for part in parts] == [4, 4]
        assert np.array_equal(np.concatenate(parts), alone.batch(0, step))
    assert len(ranks[0].rest(1, 2)) == 1
    draws = [rank.generator(1, 2).random(8).tolist() for rank in (alone, *ranks)]
    assert draws[0] == draws[1] == draws[2] != alone.generator(1, 1).random(8).tolist()


def test_what_cannot_be_cut_is_refused_with_a_remedy() -> None:
    with pytest.raises(
        UserError, match=r"batch_size = 8 cannot be cut into 3 equal pieces.*3 processes.*multiple of 3"
    ):
        order(world=3)
    with pytest.raises(UserError, match="cannot be cut into 8 equal pieces of 2 images or more"):
        order(world=4, accumulate=2)
    assert order(world=2, accumulate=2).pieces == 4
    with pytest.raises(UserError, match=r"last batch has 6 images, which 2 pieces cannot share.*last_batch=drop"):
        order(accumulate=2, last_batch="keep")
    assert order(images=32, accumulate=2, last_batch="keep").steps == 4
    with pytest.raises(UserError, match=r"has 7 images, fewer than one batch of 8.*batch_size"):
        order(images=7)
