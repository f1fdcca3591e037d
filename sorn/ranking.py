"""Ranks of all matches, for galleries of any size.

They come from the tiles of a walk. Where tiles hold whole rows of similarities, ranks are counted there. With a gallery
of millions they do not. Then the similarity of each match is first computed within a margin, and images before the
match are counted as they pass. The few images inside the margin are kept until the match itself has been computed. The
ranks equal those of whole rows of the same products, ties included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from sorn.features import FeatureBank
from sorn.matching import similarity_blocks, similarity_tiles
from sorn.metrics import NO_RANKS, Evaluation, Relevance
from sorn.products import ROWS
from sorn.rerank import Reranked, reranked_blocks
from sorn.rules import Rule
from sorn.threads import share_rows
from sorn.walk import Consumer, SimilarityTile, walk

MARGINS = (4e-6, 1e-3)
# By how much the same similarity may differ in two products, whose sums are taken in another order. Checked: where the
# first is too narrow, the second is taken.


def rank(
    query: FeatureBank,
    gallery: FeatureBank,
    evaluations: Mapping[Rule | Reranked, Evaluation],
    device: torch.device | str = "cpu",
    beside: Sequence[Consumer] = (),
) -> Iterator[int]:
    """Ranks of every match under every rule, added to its evaluation.

    Yields the number of queries that are finished by all rules but the re-ranked ones, from time to time. beside:
    further consumers of the same walk. Raises ValueError as `similarity_blocks` does, and for similarities that are not
    finite.
    """
    plain = {rule: evaluation for rule, evaluation in evaluations.items() if isinstance(rule, Rule)}
    relevant = next(iter(evaluations.values())).relevant
    yield from walk(query, gallery, [Ranks(query, gallery, plain, device), *beside], relevant, device)
    for rule, evaluation in evaluations.items():
        if isinstance(rule, Reranked):
            for rows, similarity in reranked_blocks(query, gallery, rule.rule, rule.options, device):
                evaluation.add(rows, similarity)


class Ranks:
    """Ranks of a walk, added to an evaluation per rule.

    device: where the similarities of matches are computed before their tile comes.
    """

    def __init__(
        self,
        query: FeatureBank,
        gallery: FeatureBank,
        evaluations: Mapping[Rule, Evaluation],
        device: torch.device | str = "cpu",
    ) -> None:
        self.query, self.gallery, self.evaluations, self.device = query, gallery, evaluations, device
        self.rules = tuple(evaluations)
        self.whole_rows = not all(evaluation.takes_ranks for evaluation in evaluations.values())
        self._block: _Block | None = None

    def take(self, tile: SimilarityTile) -> None:
        """Counts of one tile, see `Consumer`.

        Raises ValueError for similarities that are not finite.
        """
        found = [tile.similarities[rule] for rule in self.rules]
        if tile.whole:
            for rule, similarity in zip(self.rules, found, strict=True):
                self.evaluations[rule].add(tile.rows, similarity)
            return
        if self._block is None:
            self._block = self._new_block(tile, MARGINS[0])
        self._block.meet(tile.columns, found)
        if tile.last:
            for rule, ranks in zip(self.rules, self._ranks(tile, self._block), strict=True):
                self.evaluations[rule].add_ranks(ranks)
            self._block = None

    def _new_block(self, tile: SimilarityTile, margin: float) -> _Block:
        numbers = range(tile.rows.start, tile.rows.stop)
        return _Block(self.query.take(tile.rows), self.gallery, self.rules, tile.relevant, numbers, self.device, margin)

    def _ranks(self, tile: SimilarityTile, block: _Block) -> list[list[np.ndarray]]:
        try:
            return block.ranks()
        except _TooNarrow:  # never seen but in tests; so these queries walk alone, once more
            wider = self._new_block(tile, MARGINS[1])
            height, width = len(wider.asked), tile.columns.stop - tile.columns.start
            for _, columns, found, _ in similarity_tiles(
                wider.asked, self.gallery, self.rules, height, width, self.device
            ):
                wider.meet(columns, found)
            return wider.ranks()


class _TooNarrow(ValueError):
    """Error for a match outside the margin in which it was expected."""


@dataclass
class _Query:
    """Counts for one query under one rule.

    expected: similarities of its matches, to within the margin. exact: the computed similarities of those already met
    in a tile. ahead: number of images that are surely before each match. near: images inside the margin: which match,
    position and similarity of each, one array of each, as there may be many.
    """

    matches: np.ndarray
    dropped: np.ndarray
    expected: np.ndarray
    margin: float
    ahead: np.ndarray = field(init=False)
    exact: np.ndarray = field(init=False)
    left_out: np.ndarray = field(init=False)
    near: tuple[np.ndarray, np.ndarray, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        margin = np.float32(self.margin)
        self.low, self.high = self.expected - margin, self.expected + margin
        self.ahead = np.zeros(len(self.matches), np.int64)
        self.exact = np.full(len(self.matches), np.nan, np.float32)
        self.left_out = np.full(len(self.dropped), np.nan, np.float32)
        self.near = np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32)

    def meet(self, row: np.ndarray, columns: slice) -> None:
        """Counts of one tile. row: similarities with the gallery images `columns`."""
        here = _inside(self.matches, columns)
        self.exact[here] = row[self.matches[here] - columns.start]
        dropped = _inside(self.dropped, columns)
        self.left_out[dropped] = row[self.dropped[dropped] - columns.start]
        from sorn.rank_kernels import count_beyond

        at_least, above = np.zeros((2, len(self.matches)), np.int64)
        count_beyond(row, self.low, self.high, at_least, above)
        self.ahead += above
        near = at_least - above
        near[here] -= 1  # a match is near itself, and not before itself
        found = [self.near]
        for i in np.flatnonzero(near).astype(np.int32):
            place = np.flatnonzero((row >= self.low[i]) & (row <= self.high[i]))
            found.append((np.full(len(place), i), place + columns.start, row[place]))
        if len(found) > 1:
            which, positions, values = (np.concatenate(one) for one in zip(*found, strict=True))
            self.near = which, positions, values

    def ranks(self) -> np.ndarray:
        """Ranks from 1, as `metrics.match_ranks`."""
        if not ((self.low <= self.exact) & (self.exact <= self.high)).all():
            raise _TooNarrow("two products of the same features differ by more than rounding does")
        ranks = self.ahead + 1
        which, positions, values = self.near
        exact = self.exact[which]
        before = (values > exact) | ((values == exact) & (positions < self.matches[which]))
        ranks += np.bincount(which[before], minlength=len(ranks))
        for position, value in zip(self.dropped, self.left_out, strict=True):
            ranks -= (value > self.exact) | ((value == self.exact) & (position < self.matches))
        return ranks


def _inside(positions: np.ndarray, columns: slice) -> slice:
    """Those of the rising positions that are among the columns."""
    return slice(*positions.searchsorted((columns.start, columns.stop)))


@dataclass(frozen=True)
class _Block:
    """Some queries, their numbers among all, and what is known of their ranks.

    known: per rule and query its counts; None without a match.
    """

    asked: FeatureBank
    gallery: FeatureBank
    rules: Sequence[Rule]
    relevant: Relevance
    numbers: range
    device: torch.device | str
    margin: float
    known: list[list[_Query | None]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", self._expected())

    def meet(self, columns: slice, similarities: Sequence[np.ndarray]) -> None:
        """Counts of one tile. similarities: per rule, with the gallery images `columns`."""

        def some(first: int, last: int) -> None:
            for queries, similarity in zip(self.known, similarities, strict=True):
                for line in range(first, last):
                    if not np.isfinite(similarity[line].sum()):
                        raise ValueError(f"similarities of query {self.numbers[line]} are not finite")
                    if one := queries[line]:
                        one.meet(similarity[line], columns)

        share_rows(some, len(self.numbers))

    def ranks(self) -> list[list[np.ndarray]]:
        """Per rule and query the ranks of its matches; NO_RANKS without a match."""
        return [[NO_RANKS if one is None else one.ranks() for one in queries] for queries in self.known]

    def _expected(self) -> list[list[_Query | None]]:
        """Queries with the approximate similarities of their matches.

        They come from products of a few queries with their matches alone.
        """
        known: list[list[_Query | None]] = [[] for _ in self.rules]
        for first in range(0, len(self.asked), ROWS):  # a product of fewer queries takes as long
            numbers = self.numbers[first : first + ROWS]
            matches = [self.relevant.matches[number] for number in numbers]
            union = np.unique(np.concatenate(matches))
            if not len(union):
                for queries in known:
                    queries += [None] * len(numbers)
                continue
            asked = self.asked.take(slice(first, first + ROWS))
            for rows, found in similarity_blocks(asked, self.gallery.take(union), self.rules, self.device):
                for queries, similarity in zip(known, found, strict=True):
                    for own, number, row in zip(matches[rows], numbers[rows], similarity, strict=True):
                        expected, dropped = row[np.searchsorted(union, own)], self.relevant.dropped[number]
                        queries.append(_Query(own, dropped, expected, self.margin) if len(own) else None)
            self.gallery.forget()
        return known
