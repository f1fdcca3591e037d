"""Features of few pictures, in a small forward pass.

It is the smallest one that gives the bits of a full pass. Libraries choose their kernels by the size of a batch, so a
picture has other last bits in a smaller one; which sizes agree depends on the CPU, the precision and the network. The
first pass is a full one, filled up with noise. Smaller sizes are compared with it, bit for bit, before they are used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.features.embedding import Embedder, as_batch
from sorn.features import Features

SMALLER = (8, 4, 2, 1)  # sizes that are tried: from the largest, to stop at the first that differs


@dataclass
class FewPictures:
    """Forward passes of few pictures, of one network.

    reference: images and features of a full pass; None before the first one. smallest: size of the smallest pass that
    gives the same features; 0 before it is known.
    """

    embedder: Embedder
    reference: tuple[list[np.ndarray], Features] | None = None
    smallest: int = field(default=0)

    def features(self, images: list[np.ndarray]) -> Features:
        """Features of images, as `Embedder.features` gives them.

        images: [H, W, 3] uint8, at the network's size.
        """
        full = self.embedder.batch_size
        pieces = [self._piece(images[first : first + full]) for first in range(0, len(images), full)]
        return Features.joined(pieces)

    def _piece(self, images: list[np.ndarray]) -> Features:
        full, count = self.embedder.batch_size, len(images)
        if self.reference is None:
            filled = images + _noise(images[0].shape, full - count)
            self.reference = filled, self._pass(filled, full)
            found = self.reference[1]
            return Features(*(values[:count] for values in found))
        return self._pass(images, self._size(count))

    def _size(self, count: int) -> int:
        """Size of a pass of `count` images."""
        full = self.embedder.batch_size
        if not self.smallest:
            self.smallest = full
            for size in (size for size in SMALLER if size < full):
                if not self._agrees(size):
                    break
                self.smallest = size
        return next((size for size in reversed(SMALLER) if max(count, self.smallest) <= size < full), full)

    def _agrees(self, size: int) -> bool:
        """Whether a pass of `size` images gives the bits of the full one."""
        assert self.reference is not None
        images, expected = self.reference
        found = self._pass(images[:size], size)
        return all(np.array_equal(one, other[:size]) for one, other in zip(found, expected, strict=True))

    def _pass(self, images: list[np.ndarray], size: int) -> Features:
        (found,) = self.embedder.features(iter([as_batch(images)]), size)
        return found


def _noise(shape: tuple[int, ...], count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8))
