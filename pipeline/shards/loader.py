"""Batches of a split in a given order, read ahead by threads.

    order = np.random.default_rng(seed).permutation(len(data))
    for batch in BatchLoader(data, np.split(order, range(64, len(order), 64)), workers=2):

Reads shards. Threads are used and not processes, because reading releases the interpreter lock. So nothing is pickled
or sent through shared memory, nothing forks beside a GPU, and no random generator of a worker has to be restored by a
resumed training.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from pipeline.runtime.prefetch import ahead
from pipeline.shards.dataset import ShardDataset
from sorn.batch import Batch


class BatchLoader:
    """One Batch per array of positions in the dataset, in their order.

    Every iteration starts anew. chosen: int64 [B] each. workers: number of threads; 0 reads a batch when it is asked
    for. pin: into page-locked memory, from where a GPU copies while it computes. waited: seconds that the caller has
    waited for batches so far. At most AHEAD batches per thread are held besides those taken (see `prefetch`). An error
    of reading a shard is raised in the caller; leaving a `for` loop early ends the threads.
    """

    def __init__(self, data: ShardDataset, chosen: Sequence[np.ndarray], workers: int, pin: bool = False) -> None:
        self.data, self.chosen, self.workers, self.pin = data, chosen, workers, pin
        self.waited = 0.0

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[Batch]:
        with closing(ahead(self._read, self._places(), self.workers)) as batches:
            while True:
                start = time.perf_counter()
                batch = next(batches, None)
                self.waited += time.perf_counter() - start
                if batch is None:
                    return
                yield batch

    def _places(self) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
        """Positions, and memory to read their images and masks into."""
        most = max(map(len, self.chosen), default=0)
        images, masks = (Memory((most, *shape)) for shape in self.data.shapes)
        for positions in self.chosen:
            if self.pin:
                yield positions, *self.data.empty(len(positions), pin=True)  # torch reuses page-locked memory itself
            else:
                yield positions, images.lend(len(positions)), masks.lend(len(positions))

    def _read(self, positions: np.ndarray, image: Tensor, mask: Tensor) -> Batch:
        batch = self.data.read(positions, image, mask)
        return batch.pin_memory() if self.pin else batch  # what is pinned already is not copied


class Memory:
    """Reusable uint8 arrays of one shape.

    An array is lent again when no tensor shares its memory any more. The first touch of new memory costs a page fault
    per 4 KiB, which took as long as reading the pixels did. malloc keeps freed memory only sometimes, depending on
    sizes and on the rest of the process.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._arrays: list[np.ndarray] = []
        self._lent: list[weakref.ref[np.ndarray]] = []  # an array that became a tensor lives as long as its storage

    def lend(self, count: int) -> Tensor:
        """First `count` rows of a free array; their content is undefined."""
        free = next((i for i, lent in enumerate(self._lent) if lent() is None), len(self._arrays))
        if free == len(self._arrays):
            self._arrays.append(np.empty(self.shape, np.uint8))
        rows = self._arrays[free][:count]
        self._lent[free : free + 1] = [weakref.ref(rows)]
        return torch.from_numpy(rows)
