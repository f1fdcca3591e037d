"""Ranks of all matches, for galleries of any size.

They come from two feature banks. Small galleries are ranked by whole rows of similarities. With a gallery of millions,
memory holds the rows of few queries only, and the gallery is read again for each group of queries. So large galleries
are ranked in tiles. The similarity of each match is first computed within a margin, and images before the match are
counted as they pass. The few images inside the margin are kept until the match itself has been computed. The ranks
equal those of whole rows of the same products, ties included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from sorn import matching
from sorn.features import FeatureBank
from sorn.matching import Rule, similarity_blocks, similarity_tiles
from sorn.metrics import NO_RANKS, Evaluation, Relevance, counts
from sorn.rerank import Reranked, reranked_blocks

FEWEST = 128
# Queries that whole rows are worth while for.

MARGINS = (4e-6, 1e-3)
# By how much the same similarity may differ in two products, whose sums are taken in another order. Checked: where the
# first is too narrow, the second is taken.


def rank(
    query: FeatureBank,
    gallery: FeatureBank,
    evaluations: Mapping[Rule | Reranked, Evaluation],
    device: torch.device | str = "cpu",
) -> Iterator[int]:
    """Ranks of every match under every rule, added to its evaluation.

    Yields the number of queries that are finished by all rules but the re-ranked ones, from time to time. Raises
    ValueError as `similarity_blocks` does, and for similarities that are not finite.
    """
    plain = {rule: evaluation for rule, evaluation in evaluations.items() if isinstance(rule, Rule)}
    if plain:
        yield from _rank(query, gallery, plain, device)
    for rule, evaluation in evaluations.items():
        if isinstance(rule, Reranked):
            for rows, similarity in reranked_blocks(query, gallery, rule.rule, rule.options, device):
                evaluation.add(rows, similarity)


def _rank(
    query: FeatureBank, gallery: FeatureBank, evaluations: Mapping[Rule, Evaluation], device: torch.device | str
) -> Iterator[int]:
    rules = list(evaluations)
    by_rows = matching.block_size(len(query), len(gallery), len(rules)) >= min(FEWEST, len(query))
    if by_rows or not all(evaluation.takes_ranks for evaluation in evaluations.values()):
        for rows, similarities in similarity_blocks(query, gallery, rules, device):
            for rule, similarity in zip(rules, similarities, strict=True):
                evaluations[rule].add(rows, similarity)
            yield rows.stop - rows.start
        return
    relevant = next(iter(evaluations.values())).relevant
    for first in range(0, len(query), 2 * FEWEST):
        numbers = range(first, min(first + 2 * FEWEST, len(query)))
        block = _Block(query.take(np.array(numbers)), gallery, rules, relevant, numbers, device)
        try:
            ranks_by_rule = block.ranks(MARGINS[0])
        except _TooNarrow:
            ranks_by_rule = block.ranks(MARGINS[1])
        for rule, ranks in zip(rules, ranks_by_rule, strict=True):
            evaluations[rule].add_ranks(ranks)
        yield len(numbers)


class _TooNarrow(ValueError):
    """Error for a match outside the margin in which it was expected."""


@dataclass
class _Query:
    """Counts for one query under one rule.

    expected: similarities of its matches, to within the margin. exact: the computed similarities of those already met
    in a tile. ahead: number of images that are surely before each match. near: (which match, positions, similarities)
    inside the margin.
    """

    matches: np.ndarray
    dropped: np.ndarray
    expected: np.ndarray
    margin: float
    ahead: np.ndarray = field(init=False)
    exact: np.ndarray = field(init=False)
    left_out: np.ndarray = field(init=False)
    near: list[tuple[int, np.ndarray, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        margin = np.float32(self.margin)
        self.low, self.high = self.expected - margin, self.expected + margin
        self.ahead = np.zeros(len(self.matches), np.int64)
        self.exact = np.full(len(self.matches), np.nan, np.float32)
        self.left_out = np.full(len(self.dropped), np.nan, np.float32)

    def meet(self, row: np.ndarray, columns: slice) -> None:
        """Counts of one tile. row: similarities with the gallery images `columns`."""
        here = _inside(self.matches, columns)
        self.exact[here] = row[self.matches[here] - columns.start]
        dropped = _inside(self.dropped, columns)
        self.left_out[dropped] = row[self.dropped[dropped] - columns.start]
        at_least, above = counts(row, self.low, self.high)
        self.ahead += above
        near = at_least - above
        near[here] -= 1  # a match is near itself, and not before itself
        for i in np.flatnonzero(near):
            place = np.flatnonzero((row >= self.low[i]) & (row <= self.high[i]))
            self.near.append((int(i), place + columns.start, row[place]))

    def ranks(self) -> np.ndarray:
        """Ranks from 1, as `metrics.match_ranks`."""
        if not ((self.low <= self.exact) & (self.exact <= self.high)).all():
            raise _TooNarrow("two products of the same features differ by more than rounding does")
        ranks = self.ahead + 1
        for i, positions, values in self.near:
            before = (values > self.exact[i]) | ((values == self.exact[i]) & (positions < self.matches[i]))
            ranks[i] += np.count_nonzero(before)
        for position, value in zip(self.dropped, self.left_out, strict=True):
            ranks -= (value > self.exact) | ((value == self.exact) & (position < self.matches))
        return ranks


def _inside(positions: np.ndarray, columns: slice) -> slice:
    """Those of the rising positions that are among the columns."""
    return slice(*positions.searchsorted((columns.start, columns.stop)))


@dataclass(frozen=True)
class _Block:
    """Some queries, their numbers among all, and the gallery."""

    asked: FeatureBank
    gallery: FeatureBank
    rules: list[Rule]
    relevant: Relevance
    numbers: range
    device: torch.device | str

    def ranks(self, margin: float) -> list[list[np.ndarray]]:
        """Per rule and query the ranks of its matches; NO_RANKS without a match."""
        known, height = self._expected(margin), len(self.asked)
        width = max(1, matching.MEMORY // (8 * len(self.rules) * height))  # half of it: products take their share too
        tiles = similarity_tiles(self.asked, self.gallery, self.rules, height, width, self.device)
        for _, columns, similarities in tiles:
            for queries, similarity in zip(known, similarities, strict=True):
                for one, row in zip(queries, similarity, strict=True):
                    if not np.isfinite(row.sum()):
                        first, last = self.numbers[0], self.numbers[-1]
                        raise ValueError(f"similarities of queries {first} to {last} are not finite")
                    if one is not None:
                        one.meet(row, columns)
        return [[NO_RANKS if one is None else one.ranks() for one in queries] for queries in known]

    def _expected(self, margin: float) -> list[list[_Query | None]]:
        """Per rule and query the approximate similarities of its matches.

        They come from a product with the matches of these queries alone.
        """
        matches = [self.relevant.matches[number] for number in self.numbers]
        union = np.unique(np.concatenate(matches))
        if not len(union):
            return [[None] * len(self.asked) for _ in self.rules]
        known: list[list[_Query | None]] = [[] for _ in self.rules]
        for rows, similarities in similarity_blocks(self.asked, self.gallery.take(union), self.rules, self.device):
            for queries, similarity in zip(known, similarities, strict=True):
                for own, number, row in zip(matches[rows], self.numbers[rows], similarity, strict=True):
                    expected = row[np.searchsorted(union, own)]
                    dropped = self.relevant.dropped[number]
                    queries.append(_Query(own, dropped, expected, margin) if len(own) else None)
        return known
