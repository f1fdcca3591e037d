"""Images of each training step, as functions of (seed, epoch, step).

They are the same in every process.
"""

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
    """Order of the images in the batches of a training.

    images: number of images of the train split. process: the process of torchrun. least: fewest images that the network
    can train on; a smaller last batch is left out even with last_batch = "keep". Raises UserError for a batch that
    cannot be cut into equal pieces or is larger than the split.
    """

    images: int
    train: TrainConfig
    process: Process
    least: int = 1

    def __post_init__(self) -> None:
        size, pieces = self.train.batch_size, self.pieces
        if size % pieces or size < 2 * pieces:
            raise UserError(
                f"train.batch_size = {size} cannot be cut into {pieces} equal pieces of 2 images or more "
                f"({self.process.world} processes, train.accumulate = {self.train.accumulate})",
                f"Use a multiple of {pieces}: --set train.batch_size=...",
            )
        if pieces > 1 and self.train.last_batch == "keep" and self.images % size:
            raise UserError(
                f"the last batch has {self.images % size} images, which {pieces} pieces cannot share equally",
                "Leave it out: --set train.last_batch=drop",
            )
        if self.steps == 0:
            raise UserError(
                f"the train split has {self.images} images, fewer than one batch of {size}",
                "Use a smaller batch: --set train.batch_size=...",
            )

    @property
    def pieces(self) -> int:
        """Number of pieces of a batch: `accumulate` for each process."""
        return self.process.world * self.train.accumulate

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.images // self.train.batch_size + (self.kept > 0)

    @property
    def kept(self) -> int:
        """Images of an incomplete last batch that is kept; 0 without one."""
        rest = self.images % self.train.batch_size
        return rest if self.train.last_batch == "keep" and rest >= self.least else 0

    @property
    def left_out(self) -> int:
        """Images of each epoch that no step takes."""
        return self.images % self.train.batch_size - self.kept

    def batch(self, epoch: int, step: int) -> np.ndarray:
        """Positions of the images of a step, for all processes, int64 [B].

        B is `batch_size`, or less in a last batch that is kept.
        """
        size = self.train.batch_size
        return _permutation(self.train.seed, epoch, self.images)[step * size : (step + 1) * size]

    def own(self, images: int) -> slice:
        """Share of this process in a batch of `images` images."""
        share = images // self.process.world
        return slice(self.process.number * share, (self.process.number + 1) * share)

    def rest(self, epoch: int, first: int) -> list[np.ndarray]:
        """Images of this process in the batches of an epoch.

        first: the first step. Returns positions, int64, for each remaining batch.
        """
        batches = (self.batch(epoch, step) for step in range(first, self.steps))
        return [batch[self.own(len(batch))] for batch in batches]

    def generator(self, epoch: int, step: int) -> np.random.Generator:
        """Generator of a step's augmentation, for the images of all processes."""
        return np.random.default_rng([self.train.seed, AUGMENT, epoch, step])


@lru_cache(maxsize=1)
def _permutation(seed: int, epoch: int, images: int) -> np.ndarray:
    return np.random.default_rng([seed, SHUFFLE, epoch]).permutation(images)
