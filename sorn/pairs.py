"""Similarities of pairs of the same person and of different people.

A pair is a query and a gallery image under the filter of the evaluation: images of the query's person by the query's
camera make no pair. Pairs are counted by their similarity and by what they have in common, tile by tile, so that memory
does not grow with the gallery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sorn.config import OF_PARTS
from sorn.error_rates import BINS, PairCounts, bins
from sorn.features import FeatureBank
from sorn.matching import Rule, indicators, similarity_tiles
from sorn.metrics import Relevance

HEIGHT, WIDTH = 256, 8192  # of a tile: queries and gallery images


def compared(rule: Rule, bank: FeatureBank) -> np.ndarray:
    """Stripes and part groups of each image that a rule compares.

    float32 [N, n]: 1 where it is compared, if the other image has it too, else 0.
    """
    if rule.variant == "global":
        return np.zeros((len(bank), 0), np.float32)
    if rule.variant == "global+local":
        return np.ones((len(bank), bank.local.shape[1]), np.float32)
    stripes = [indicators(bank.visibility, rule.tau)] if rule.variant != "parts" else []
    parts = [indicators(bank.features.part_shares, rule.part_tau)] if rule.variant in OF_PARTS else []
    return np.concatenate([*stripes, *parts], axis=1)


def in_common(seen: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Number of stripes and part groups that two images have in common.

    seen, shown: of `compared`, [Nq, n] and [Ng, n]. Returns int64 [Nq, Ng].
    """
    common: np.ndarray = (seen @ shown.T).astype(np.int64)
    return common


@dataclass(frozen=True)
class PairTile:
    """Similarities of some queries with some gallery images.

    similarities: per rule [b, n] float32. same: flat positions of the pairs of the same person, int64. left_out: of
    the pairs that the filter removes.
    """

    rows: slice
    columns: slice
    similarities: list[np.ndarray]
    same: np.ndarray
    left_out: np.ndarray

    def done(self, gallery: int) -> int:
        """Number of queries that are finished with this tile."""
        return self.rows.stop - self.rows.start if self.columns.stop == gallery else 0


def tiles(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: Sequence[Rule],
    relevant: Relevance,
    device: torch.device | str = "cpu",
) -> Iterator[PairTile]:
    """All pairs of two banks, in tiles of HEIGHT by WIDTH.

    The similarities are valid until the next tile is asked for.
    """
    for rows, columns, found in similarity_tiles(query, gallery, rules, HEIGHT, WIDTH, device):
        places = (_flat(positions, rows, columns) for positions in (relevant.matches, relevant.dropped))
        yield PairTile(rows, columns, found, *places)


def _flat(positions: list[np.ndarray], rows: slice, columns: slice) -> np.ndarray:
    width, found = columns.stop - columns.start, [np.empty(0, np.int64)]
    for line, number in enumerate(range(rows.start, rows.stop)):
        first, last = positions[number].searchsorted((columns.start, columns.stop))
        found.append(positions[number][first:last] - columns.start + line * width)
    return np.concatenate(found)


class PairTally:
    """Counts of pairs by similarity and by number in common.

    kinds: largest number of stripes and part groups in common, plus one. asked: whether a query has a pair with so much
    in common, bool [kinds, Nq].
    """

    def __init__(self, rule: Rule, query: FeatureBank, gallery: FeatureBank) -> None:
        self.seen, self.shown = compared(rule, query), compared(rule, gallery)
        self.kinds = self.seen.shape[1] + 1
        self.asked = np.zeros((self.kinds, len(query)), bool)
        self._counts = np.zeros((2, self.kinds * BINS), np.int64)

    def add(self, tile: PairTile, similarity: np.ndarray) -> None:
        """Count the pairs of one tile. similarity: those of the rule, [b, n]."""
        common = in_common(self.seen[tile.rows], self.shown[tile.columns])
        place = (common * BINS + bins(similarity)).ravel()
        same, left_out = (self._counted(place[chosen]) for chosen in (tile.same, tile.left_out))
        self._counts[0] += same
        self._counts[1] += self._counted(place) - same - left_out
        for kind in range(self.kinds):
            self.asked[kind, tile.rows] |= (common == kind).any(axis=1)

    def _counted(self, place: np.ndarray) -> np.ndarray:
        return np.bincount(place, minlength=self._counts.shape[1])

    def by_common(self) -> list[PairCounts]:
        """Counts by the number of stripes and part groups in common."""
        same, different = self._counts.reshape(2, self.kinds, BINS)
        return [PairCounts(same[kind], different[kind]) for kind in range(self.kinds)]

    def all(self) -> PairCounts:
        """Counts of all pairs."""
        same, different = self._counts.reshape(2, self.kinds, BINS).sum(axis=1)
        return PairCounts(same, different)


class PersonTally:
    """Counts of errors at chosen thresholds by person, for intervals.

    persons: pids of queries and gallery, sorted, int64 [p]. thresholds: float32 [k, kinds], each by the number of
    stripes and part groups in common. A pair of different people counts for both of them.
    different, wrong: pairs of different people by person and kind [p, kinds], and those that reach a threshold
    [k, p, kinds]. same, missed: pairs of the same person, and those that do not reach it.
    """

    def __init__(self, rule: Rule, query: FeatureBank, gallery: FeatureBank, thresholds: np.ndarray) -> None:
        self.rule, self.seen, self.shown = rule, compared(rule, query), compared(rule, gallery)
        self.kinds, self.thresholds = self.seen.shape[1] + 1, thresholds.astype(np.float32)
        self.persons, numbers = np.unique(np.concatenate([query.pid, gallery.pid]), return_inverse=True)
        self._asked, self._ranked = numbers[: len(query)], numbers[len(query) :]
        shape = (len(self.persons), self.kinds)
        self.different, self.same = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.wrong, self.missed = (np.zeros((len(thresholds), *shape), np.int64) for _ in range(2))

    def add(self, tile: PairTile, similarity: np.ndarray) -> None:
        """Count the pairs of one tile. similarity: those of the rule, [b, n]."""
        common = in_common(self.seen[tile.rows], self.shown[tile.columns])
        counted = np.ones(common.shape, bool)
        counted.flat[tile.same] = counted.flat[tile.left_out] = False
        asked, ranked = self._asked[tile.rows], self._ranked[tile.columns]
        for kind in range(self.kinds):
            chosen = counted & (common == kind)
            np.add.at(self.different[:, kind], asked, chosen.sum(axis=1))
            np.add.at(self.different[:, kind], ranked, chosen.sum(axis=0))
        lines = tile.same // common.shape[1]
        kinds, values = common.ravel()[tile.same], similarity.ravel()[tile.same]
        self.same += self._by_person(asked[lines], kinds)
        for number, limits in enumerate(self.thresholds):
            below = values < limits[kinds]
            self.missed[number] += self._by_person(asked[lines[below]], kinds[below])
            row, column = np.nonzero((similarity >= limits[common]) & counted)
            reached = common[row, column]
            self.wrong[number] += self._by_person(asked[row], reached) + self._by_person(ranked[column], reached)

    def _by_person(self, persons: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        found = np.bincount(persons * self.kinds + kinds, minlength=self.same.size)
        return found.reshape(self.same.shape)


class NearestTally:
    """Largest similarity of each query to a match and to others.

    match, other: float32 [Nq], -inf without one. first: whether the match ranks before all others, bool [Nq]; equal
    similarities rank in gallery order.
    """

    def __init__(self, queries: int) -> None:
        self.match, self.other = (np.full(queries, -np.inf, np.float32) for _ in range(2))
        self._places = np.zeros((2, queries), np.int64)

    def add(self, tile: PairTile, similarity: np.ndarray) -> None:
        """Take the similarities of one tile, [b, n]."""
        same = np.full(similarity.shape, -np.inf, np.float32)
        same.flat[tile.same] = similarity.ravel()[tile.same]
        others = similarity.copy()
        others.flat[tile.same] = others.flat[tile.left_out] = -np.inf
        for number, (best, values) in enumerate(((self.match, same), (self.other, others))):
            column = values.argmax(axis=1)  # the first of equal ones
            value = values[np.arange(len(values)), column]
            better = value > best[tile.rows]
            best[tile.rows] = np.where(better, value, best[tile.rows])
            place = self._places[number, tile.rows]
            self._places[number, tile.rows] = np.where(better, column + tile.columns.start, place)

    @property
    def first(self) -> np.ndarray:
        before = (self.match > self.other) | ((self.match == self.other) & (self._places[0] < self._places[1]))
        found: np.ndarray = before & np.isfinite(self.match)
        return found
