"""Which images a training step takes: functions of (seed, epoch, step) alone, the same on every rank. No files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.errors import UserError
from pipeline.runs.config import TrainConfig
from pipeline.runtime.distributed import Process

SHUFFLE, AUGMENT = range(2)  # streams of random numbers under one seed


@dataclass(frozen=True)
class BatchOrder:
    """images: of the train split. Raises UserError for a batch that cannot be cut into equal parts, or that is larger
    than the split.
    """

    images: int
    train: TrainConfig
    rank: Process

    def __post_init__(self) -> None:
        size, parts = self.train.batch_size, self.parts
        if size % parts or size < 2 * parts:
            raise UserError(
                f"train.batch_size = {size} cannot be cut into {parts} equal parts of 2 images or more "
                f"({self.rank.world} processes, train.accumulate = {self.train.accumulate})",
                f"Use a multiple of {parts}: --set train.batch_size=...",
            )
        if parts > 1 and self.train.last_batch == "keep" and self.images % size:
            raise UserError(
                f"the last batch has {self.images % size} images, which {parts} parts cannot share equally",
                "Leave it out: --set train.last_batch=drop",
            )
        if self.steps == 0:
            raise UserError(
                f"the train split has {self.images} images, fewer than one batch of {size}",
                "Use a smaller batch: --set train.batch_size=...",
            )

    @property
    def parts(self) -> int:
        """Into how many a batch is cut: every rank takes it in `accumulate` pieces."""
        return self.rank.world * self.train.accumulate

    @property
    def steps(self) -> int:
        """Of an epoch."""
        whole, rest = divmod(self.images, self.train.batch_size)
        return whole + (1 if rest and self.train.last_batch == "keep" else 0)

    def batch(self, epoch: int, step: int) -> np.ndarray:
        """Positions of a step's images, those of all ranks: int64 [batch_size, fewer in a last one that is kept]."""
        size = self.train.batch_size
        return _permutation(self.train.seed, epoch, self.images)[step * size : (step + 1) * size]

    def own(self, images: int) -> slice:
        """What this rank computes of a batch of so many."""
        share = images // self.rank.world
        return slice(self.rank.number * share, (self.rank.number + 1) * share)

    def rest(self, epoch: int, first: int) -> list[np.ndarray]:
        """This rank's part of every batch of an epoch from step `first` on."""
        batches = (self.batch(epoch, step) for step in range(first, self.steps))
        return [batch[self.own(len(batch))] for batch in batches]

    def generator(self, epoch: int, step: int) -> np.random.Generator:
        """Of a step's augmentation, for the images of all ranks."""
        return np.random.default_rng([self.train.seed, AUGMENT, epoch, step])


@lru_cache(maxsize=1)
def _permutation(seed: int, epoch: int, images: int) -> np.ndarray:
    return np.random.default_rng([seed, SHUFFLE, epoch]).permutation(images)
