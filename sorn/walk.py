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
from sorn.matching import SecondWins, similarity_tiles
from sorn.metrics import Relevance
from sorn.rules import Rule

FEWEST, WIDEST = 128, 1 << 16
# Whole rows of similarities are worth while for so many queries at least, and for so many gallery images at most.

BROADEST = 12_288
# Gallery images of a tile that does not hold whole rows, at most: consumers make arrays of its size.

Pairs = tuple[np.ndarray, np.ndarray]
# Lines and columns of some pairs in a tile, int64 [n] each.


@dataclass(frozen=True)
class SecondOfTile:
    """Queries of a tile that have two views.

    lines: of these queries, int64 [m]. views: numbers of their second views, int64 [m]; second views are numbered after
    all queries. wins: per rule bool [m, n], where the second view is more similar.
    """

    lines: np.ndarray
    views: np.ndarray
    wins: Mapping[Rule, np.ndarray]


@dataclass(frozen=True)
class SimilarityTile:
    """Similarities of some queries with some gallery images.

    similarities: per rule [b, n] float32, valid until the next tile. gallery: number of all gallery images. second:
    None where each query has one view.
    """

    rows: slice
    columns: slice
    gallery: int
    similarities: Mapping[Rule, np.ndarray]
    relevant: Relevance
    second: SecondOfTile | None = None

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

    def views(self, rule: Rule, lines: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Numbers of the views that some pairs have their similarity from, int64 [k].

        A query's own number, or that of its second view.
        """
        found: np.ndarray = lines + self.rows.start
        if self.second is None or not len(lines):
            return found
        places = np.minimum(self.second.lines.searchsorted(lines), len(self.second.lines) - 1)
        wins = (self.second.lines[places] == lines) & self.second.wins[rule][places, columns]
        return np.where(wins, self.second.views[places], found)

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
    for rows, columns, found, won in similarity_tiles(query, gallery, rules, height, width, device):
        second = _second_of_tile(query, rows, rules, won)
        tile = SimilarityTile(rows, columns, len(gallery), dict(zip(rules, found, strict=True)), relevant, second)
        for consumer in consumers:
            consumer.take(tile)
        if tile.last:
            yield rows.stop - rows.start


def _second_of_tile(
    query: FeatureBank, rows: slice, rules: Sequence[Rule], won: SecondWins | None
) -> SecondOfTile | None:
    if won is None or query.second is None:
        return None
    (lines, wins), first = won, len(query) + int(query.second.of.searchsorted(rows.start))
    return SecondOfTile(lines, first + np.arange(len(lines)), dict(zip(rules, wins, strict=True)))


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
    return height, max(1, min(BROADEST, matching.MEMORY // (32 * rules * height)))  # galleries so large need the rest
