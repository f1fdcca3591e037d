"""One walk over all similarities of two banks, for several consumers.

The similarities are computed once, in tiles of queries by gallery images, and every consumer takes each tile. So ranks,
first answers and counts of pairs together need one product of the features. Memory holds one tile under all rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch

from sorn import matching
from sorn.features import FeatureBank
from sorn.matching import Rule, similarity_tiles
from sorn.metrics import Relevance

FEWEST, WIDEST = 128, 1 << 16
# Whole rows of similarities are worth while for so many queries at least, and for so many gallery images at most.

Pairs = tuple[np.ndarray, np.ndarray]
# Lines and columns of some pairs in a tile, int64 [n] each.


@dataclass(frozen=True)
class SimilarityTile:
    """Similarities of some queries with some gallery images.

    similarities: per rule [b, n] float32, valid until the next tile. gallery: number of all gallery images.
    """

    rows: slice
    columns: slice
    gallery: int
    similarities: Mapping[Rule, np.ndarray]
    relevant: Relevance

    @property
    def whole(self) -> bool:
        """Whether the tile holds the whole gallery."""
        return self.first and self.last

    @property
    def first(self) -> bool:
        """Whether it is the first tile of its queries."""
        return bool(self.columns.start == 0)

    @property
    def last(self) -> bool:
        """Whether it is the last tile of its queries."""
        return bool(self.columns.stop == self.gallery)

    @cached_property
    def same(self) -> Pairs:
        """Pairs of the same person."""
        return self._inside(self.relevant.matches)

    @cached_property
    def left_out(self) -> Pairs:
        """Pairs that the filter removes."""
        return self._inside(self.relevant.dropped)

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """Columns of some gallery images that are in the tile.

        positions: rising.
        """
        first, last = positions.searchsorted((self.columns.start, self.columns.stop))
        found: np.ndarray = positions[first:last] - self.columns.start
        return found

    def _inside(self, positions: list[np.ndarray]) -> Pairs:
        found = [self.inside(positions[number]) for number in range(self.rows.start, self.rows.stop)]
        return np.repeat(np.arange(len(found)), [len(one) for one in found]), np.concatenate(found)


class Consumer(Protocol):
    """What is made of the similarities in a walk.

    rules: whose similarities it takes. whole_rows: whether every tile must hold the whole gallery.
    """

    @property
    def rules(self) -> Sequence[Rule]: ...

    @property
    def whole_rows(self) -> bool: ...

    def take(self, tile: SimilarityTile) -> None:
        """One tile after the other.

        The whole gallery follows for the first queries, then for the next.
        """


def walk(
    query: FeatureBank,
    gallery: FeatureBank,
    consumers: Sequence[Consumer],
    relevant: Relevance,
    device: torch.device | str = "cpu",
) -> Iterator[int]:
    """All tiles of two banks, given to every consumer.

    Yields the number of queries that are finished, from time to time. Raises ValueError as `similarity_blocks` does.
    """
    rules = list(dict.fromkeys(rule for consumer in consumers for rule in consumer.rules))
    if not rules:
        return
    whole = any(consumer.whole_rows for consumer in consumers)
    height, width = tile_size(len(query), len(gallery), len(rules), whole)
    for rows, columns, found in similarity_tiles(query, gallery, rules, height, width, device):
        tile = SimilarityTile(rows, columns, len(gallery), dict(zip(rules, found, strict=True)), relevant)
        for consumer in consumers:
            consumer.take(tile)
        if tile.last:
            yield rows.stop - rows.start


def tile_size(queries: int, gallery: int, rules: int, whole: bool) -> tuple[int, int]:
    """Numbers of queries and gallery images in a tile.

    Under all rules it fits into `matching.MEMORY`.

    Whole rows where FEWEST of them fit and are no longer than WIDEST, or where `whole` demands them. Else tiles of
    twice as many queries: each block of queries reads the gallery once more.
    """
    height = matching.block_size(queries, gallery, rules)
    if whole or (height >= min(FEWEST, queries) and gallery <= WIDEST):
        return height, gallery
    height = min(queries, 2 * FEWEST)
    return height, max(1, matching.MEMORY // (16 * rules * height))  # a quarter: galleries so large need the rest
