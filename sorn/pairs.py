"""Similarities of pairs of the same person and of different people.

A pair is a query and a gallery image under the filter of the evaluation: images of the query's person by the query's
camera make no pair. Pairs are counted by their similarity and by what they have in common, from the tiles of a walk, so
that memory does not grow with the gallery.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sorn.config import OF_PARTS
from sorn.error_rates import BINS, STEPS, PairCounts, bins
from sorn.features import FeatureBank
from sorn.metrics import Relevance
from sorn.rules import Rule, indicators
from sorn.walk import Pairs, SecondOfTile, SimilarityTile

BAND = 1 << 19
# Similarities that are counted at a time.


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


class InCommon:
    """Number in common of the images of two banks.

    It counts the stripes and part groups that a rule compares. kinds: largest number, plus one. Images that show the
    same of them have one pattern. of_query, of_gallery: number of the pattern of each image, int64 [Nq + m] and [Ng];
    the m second views of queries follow after all queries. table: number in common of two patterns, int64.
    """

    def __init__(self, rule: Rule, query: FeatureBank, gallery: FeatureBank) -> None:
        asked = compared(rule, query)
        if query.second is not None:
            asked = np.concatenate([asked, compared(rule, query.second.bank)])
        (seen, self.of_query), (shown, self.of_gallery) = map(_patterns, (asked, compared(rule, gallery)))
        self.kinds = seen.shape[1] + 1
        self.table = in_common(seen, shown)

    def __call__(self, queries: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Numbers of pairs, int64.

        queries: their positions, or numbers of second views, int64. images: positions, int64, of a shape that goes
        with it.
        """
        found: np.ndarray = self.table[self.of_query[queries], self.of_gallery[images]]
        return found


def _patterns(shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different rows of `compared`, float32 [m, n], and which of them each image has, int64 [N]."""
    codes = shown.astype(np.int64) @ (1 << np.arange(shown.shape[1], dtype=np.int64))
    _, first, number = np.unique(codes, return_index=True, return_inverse=True)
    return shown[first], number


class PairTally:
    """Counts of pairs by similarity and by number in common.

    The number is that of the view whose similarity it is. asked: whether a query has a pair with so much in common, in
    one of its views, bool [kinds, Nq].
    """

    whole_rows = False

    def __init__(self, rule: Rule, query: FeatureBank, gallery: FeatureBank) -> None:
        self.rules = (rule,)
        self.common = InCommon(rule, query, gallery)
        self.kinds = self.common.kinds
        self.asked = np.stack([(self.common.table == kind).any(axis=1) for kind in range(self.kinds)])
        views = self.asked[:, self.common.of_query]
        self.asked = views[:, : len(query)]
        if query.second is not None:
            self.asked[:, query.second.of] |= views[:, len(query) :]
        self._counts = np.zeros((2, self.kinds * BINS), np.int64)
        self._start = (self.common.table * BINS + STEPS).astype(np.float32)  # bin of similarity 0

    def take(self, tile: SimilarityTile) -> None:
        """Counts of one tile, see `Consumer`."""
        similarity = tile.similarities[self.rules[0]]
        of_query, of_gallery = self.common.of_query[tile.rows], self.common.of_gallery[tile.columns]
        for band in _bands(similarity):
            place = similarity[band] * np.float32(STEPS)
            np.floor(place, out=place)
            place += np.take(self._start[of_query[band]], of_gallery, axis=1)  # whole numbers: no rounding
            if tile.second is not None:
                self._correct(place, band, tile, tile.second)
            self._counts[1] += self._counted(place.astype(np.int64).ravel())
        for row, (lines, columns) in enumerate((tile.same, tile.left_out)):
            kinds = self.common(tile.views(self.rules[0], lines, columns), columns + tile.columns.start)
            place = kinds * BINS + bins(similarity[lines, columns])
            counted = self._counted(place)
            self._counts[1] -= counted
            if row == 0:
                self._counts[0] += counted

    def _correct(self, place: np.ndarray, band: slice, tile: SimilarityTile, second: SecondOfTile) -> None:
        """Places of pairs by second views: those of the number that they have in common."""
        of_gallery = self.common.of_gallery[tile.columns]
        for line, view, wins in zip(second.lines, second.views, second.wins[self.rules[0]], strict=True):
            if band.start <= line < band.stop:
                own, other = self._start[self.common.of_query[[line + tile.rows.start, view]]]
                place[line - band.start, wins] += (other - own)[of_gallery[wins]]

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

    whole_rows = False

    def __init__(
        self, rule: Rule, query: FeatureBank, gallery: FeatureBank, relevant: Relevance, thresholds: np.ndarray
    ) -> None:
        self.rules, self.common, self.thresholds = (
            (rule,),
            InCommon(rule, query, gallery),
            thresholds.astype(np.float32),
        )
        self.persons, numbers = np.unique(np.concatenate([query.pid, gallery.pid]), return_inverse=True)
        self._asked, self._ranked = numbers[: len(query)], numbers[len(query) :]
        shape = (len(self.persons), self.common.kinds)
        self.wrong, self.missed = (np.zeros((len(thresholds), *shape), np.int64) for _ in range(2))
        pairs = (_listed(found) for found in (relevant.matches, relevant.dropped))
        same, left_out = (self._counted(*found, self.common(*found)) for found in pairs)
        self.same = same[0]
        self.different = self._all_pairs() - same[0] - same[1] - left_out[0] - left_out[1]

    def take(self, tile: SimilarityTile) -> None:
        """Counts of one tile, see `Consumer`."""
        similarity, lowest = tile.similarities[self.rules[0]], self.thresholds.min()
        for band in _bands(similarity):
            lines, columns = np.nonzero(similarity[band] >= lowest)
            self._reached(tile, (lines + band.start, columns), 1)
        for pairs in (tile.same, tile.left_out):
            self._reached(tile, pairs, -1)
        if tile.second is not None:
            self._correct(tile, tile.second)
        queries, _, values, kinds = self._placed(tile, tile.same)
        for number, limits in enumerate(self.thresholds):
            below = values < limits[kinds]
            self.missed[number] += self._by_person(self._asked[queries[below]], kinds[below])

    def _reached(self, tile: SimilarityTile, pairs: Pairs, sign: int) -> None:
        queries, images, values, kinds = self._placed(tile, pairs)
        for number, limits in enumerate(self.thresholds):
            reached = values >= limits[kinds]
            asked, ranked = self._counted(queries[reached], images[reached], kinds[reached])
            self.wrong[number] += sign * (asked + ranked)

    def _placed(self, tile: SimilarityTile, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Queries, gallery images, similarities and numbers in common of some pairs of a tile."""
        lines, columns = pairs
        images, rule = columns + tile.columns.start, self.rules[0]
        kinds = self.common(tile.views(rule, lines, columns), images)
        return lines + tile.rows.start, images, tile.similarities[rule][lines, columns], kinds

    def _correct(self, tile: SimilarityTile, second: SecondOfTile) -> None:
        """Pairs by second views, counted by the number that these have in common; so far it was that of the first."""

        def change(pairs: Pairs) -> np.ndarray:
            queries, images, _, kinds = self._placed(tile, pairs)
            new, old = (self._counted(queries, images, one) for one in (kinds, self.common(queries, images)))
            return np.stack([new[0] - old[0], new[1] - old[1]])

        wins = second.wins[self.rules[0]]
        for band in _bands(wins):
            places, columns = np.nonzero(wins[band])
            self.different += change((second.lines[band][places], columns)).sum(axis=0)
        same, left_out = change(tile.same), change(tile.left_out)
        self.same += same[0]
        self.different -= (same + left_out).sum(axis=0)

    def _all_pairs(self) -> np.ndarray:
        """Queries with gallery images by person and number in common, the filter not applied, int64 [p, kinds]."""
        found = np.zeros((len(self.persons), self.common.kinds), np.int64)
        sides = (self._asked, self.common.of_query[: len(self._asked)]), (self._ranked, self.common.of_gallery)
        for (persons, own), (_, others), table in zip(
            sides, sides[::-1], (self.common.table, self.common.table.T), strict=True
        ):
            count = np.bincount(others, minlength=table.shape[1])
            by_kind = np.stack([(table == kind) @ count for kind in range(self.common.kinds)], axis=1)
            np.add.at(found, persons, by_kind[own])
        return found

    def _counted(self, queries: np.ndarray, images: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs by the person of the query, and by that of the gallery image, and number in common."""
        return self._by_person(self._asked[queries], kinds), self._by_person(self._ranked[images], kinds)

    def _by_person(self, persons: np.ndarray, kinds: np.ndarray) -> np.ndarray:
        shape = len(self.persons), self.common.kinds
        return np.bincount(persons * shape[1] + kinds, minlength=shape[0] * shape[1]).reshape(shape)


class NearestTally:
    """Largest similarity of each query to a match and to others.

    match, other: float32 [Nq], -inf without one. first: whether the match ranks before all others, bool [Nq]; equal
    similarities rank in gallery order.
    """

    whole_rows = False

    def __init__(self, rule: Rule, queries: int) -> None:
        self.rules = (rule,)
        self.match, self.other = (np.full(queries, -np.inf, np.float32) for _ in range(2))
        self._places = np.zeros((2, queries), np.int64)

    def take(self, tile: SimilarityTile) -> None:
        """Counts of one tile, see `Consumer`."""
        for number, row in zip(range(tile.rows.start, tile.rows.stop), tile.similarities[self.rules[0]], strict=True):
            matches, dropped = (tile.inside(one[number]) for one in (tile.relevant.matches, tile.relevant.dropped))
            if len(matches):
                self._meet(0, number, matches[row[matches].argmax()], row, tile)  # the first of equal ones
            others = row.copy()
            others[matches] = others[dropped] = -np.inf
            self._meet(1, number, others.argmax(), others, tile)

    def _meet(self, kind: int, number: int, column: np.intp, row: np.ndarray, tile: SimilarityTile) -> None:
        best = (self.match, self.other)[kind]
        if row[column] > best[number]:
            best[number], self._places[kind, number] = row[column], column + tile.columns.start

    @property
    def first(self) -> np.ndarray:
        before = (self.match > self.other) | ((self.match == self.other) & (self._places[0] < self._places[1]))
        found: np.ndarray = before & np.isfinite(self.match)
        return found


def _bands(similarity: np.ndarray) -> Iterator[slice]:
    """Lines of a tile, BAND similarities at a time."""
    height = max(1, BAND // max(1, similarity.shape[1]))
    for first in range(0, len(similarity), height):
        yield slice(first, first + height)


def _listed(positions: list[np.ndarray]) -> Pairs:
    """Queries and gallery images of the pairs in a list per query."""
    return np.repeat(np.arange(len(positions)), [len(one) for one in positions]), np.concatenate(positions)
