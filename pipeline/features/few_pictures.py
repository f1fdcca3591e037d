"""Features of few pictures, in a small forward pass.

It is the smallest one that gives the bits of a full pass. Libraries choose their kernels by the size of a batch, so a
picture has other last bits in a smaller one; which sizes agree depends on the CPU, the precision and the network. The
first pass is a full one, filled up with noise. Smaller sizes are compared with it, bit for bit, before they are used.
What was found is kept in the cache folder, so that the next process begins with a small pass.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.features.embedding import Embedder, as_batch
from pipeline.io.cache import cache_folder
from pipeline.io.files import digest_json, write_text
from sorn.features import Features

logger = logging.getLogger(__name__)

SMALLER = (8, 4, 2, 1)  # sizes that are tried: from the largest, to stop at the first that differs


@dataclass
class FewPictures:
    """Forward passes of few pictures, of one network.

    reference: images and features of a full pass; None before the first one. smallest: size of the smallest pass that
    gives the same features; 0 before it is known. kept: file with that size, None to keep none.
    """

    embedder: Embedder
    reference: tuple[list[np.ndarray], Features] | None = None
    smallest: int = field(default=0)
    kept: Path | None = None

    def __post_init__(self) -> None:
        if self.kept is not None and not self.smallest:
            self.smallest = _read(self.kept, self.embedder.batch_size)

    def features(self, images: list[np.ndarray]) -> Features:
        """Features of images, as `Embedder.features` gives them.

        images: [H, W, 3] uint8, at the network's size.
        """
        full = self.embedder.batch_size
        pieces = [self._piece(images[first : first + full]) for first in range(0, len(images), full)]
        return Features.joined(pieces)

    def _piece(self, images: list[np.ndarray]) -> Features:
        full, count = self.embedder.batch_size, len(images)
        if self.reference is None and not self.smallest:
            filled = images + _noise(images[0].shape, full - count)
            self.reference = filled, self._pass(filled, full)
            found = self.reference[1]
            if self.kept is not None:
                self._size(count)
                _write(self.kept, self.smallest)
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


def kept_size(embedder: Embedder) -> Path | None:
    """File of the cache for the smallest pass of a network here.

    None without a cache.
    """
    cache = cache_folder()
    made = digest_json([embedder.sha256, embedder.machine, embedder.config])
    return None if cache is None else cache / "passes" / f"{made[:24]}.txt"


def _read(path: Path, full: int) -> int:
    """Size in a file; 0 for one that is missing or holds none."""
    try:
        size = int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return size if size in (*SMALLER, full) else 0


def _write(path: Path, size: int) -> None:
    try:
        write_text(path, f"{size}\n")
    except OSError as error:
        logger.info(f"the size of a pass is not kept: {error}")


def _noise(shape: tuple[int, ...], count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8))
