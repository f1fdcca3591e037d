"""Error rates of the decision "the same person" from a similarity on.

False-match rate (FMR): share of pairs of different people whose similarity reaches the threshold. False-non-match rate
(FNMR): share of pairs of the same person whose similarity does not. Pairs are counted on a grid of similarities with
steps of 1 / STEPS, and thresholds are points of this grid. So the rates at a threshold are exact, ties included, and
memory does not depend on the number of pairs. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEPS = 8192
# Per unit of similarity; a power of two, so that the bin of a float32 is computed without rounding. Features in bf16
# move a similarity by more than one step.

BINS = 2 * STEPS + 1
# From -1 to 1, which has a bin of its own.

FEWEST = 10
# Wrong pairs that a rate must stand for to be told.

DECADE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
# Rates of a table, per power of ten.


def bins(similarity: np.ndarray) -> np.ndarray:
    """Bin of each similarity, int64; similarity: float32 in [-1, 1]."""
    return np.floor(similarity * np.float32(STEPS)).astype(np.int64) + STEPS


def edge(bin_: int) -> float:
    """Lowest similarity of a bin.

    Beyond the last bin a value above 1, which nothing reaches.
    """
    return (bin_ - STEPS) / STEPS


@dataclass(frozen=True)
class EqualError:
    """Equal error rate: where both rates are equal.

    rate: mean of both at the threshold where they differ least. slopes: by how much FMR falls and FNMR rises around
    it, per unit of similarity.
    """

    rate: float
    threshold: float
    slopes: tuple[float, float]


@dataclass(frozen=True)
class PairCounts:
    """Counts of pairs by their similarity.

    same, different: pairs of the same person and of different people, int64 [BINS].
    """

    same: np.ndarray
    different: np.ndarray

    @cached_property
    def false_match(self) -> np.ndarray:
        """FMR at the lower edge of each bin, float64 [BINS + 1].

        The last is 0, beyond all bins. All are nan without such pairs.
        """
        return _shares(self.different)

    @cached_property
    def false_non_match(self) -> np.ndarray:
        """FNMR at the lower edge of each bin, float64 [BINS + 1].

        The last is 1, beyond all bins. All are nan without such pairs.
        """
        return 1 - _shares(self.same)

    @property
    def usable(self) -> bool:
        """Whether there are pairs of the same person and of different people."""
        return bool(self.same.any() and self.different.any())

    def at(self, threshold: float) -> tuple[float, float]:
        """FMR and FNMR at a threshold of the grid.

        At others those of the next one above.
        """
        place = int(np.clip(np.ceil(threshold * STEPS), -STEPS, STEPS + 1)) + STEPS
        return float(self.false_match[place]), float(self.false_non_match[place])

    def threshold(self, rate: float) -> float:
        """Lowest threshold with an FMR of at most `rate`.

        It is above 1 where more than this share of the pairs of different people has the largest similarity.
        """
        return edge(int(np.argmax(self.false_match <= rate)))

    def equal_error(self) -> EqualError:
        """Equal error rate. Needs pairs of both kinds."""
        gap = np.abs(self.false_match - self.false_non_match)
        place = int(gap.argmin())
        near = STEPS // 64
        low, high = max(0, place - near), min(BINS, place + near)
        width = (high - low) / STEPS
        slopes = (
            self.false_match[low] - self.false_match[high],
            self.false_non_match[high] - self.false_non_match[low],
        )
        rate = float(self.false_match[place] + self.false_non_match[place]) / 2
        return EqualError(rate, edge(place), (float(slopes[0] / width), float(slopes[1] / width)))

    def quantile(self, same: bool, share: float) -> float:
        """Similarity that `share` of the pairs stay below, to the grid."""
        counts = self.same if same else self.different
        return edge(int(np.searchsorted(np.cumsum(counts), share * counts.sum(), side="left")))

    def table(self) -> list[tuple[float, float, float]]:
        """Rates with enough pairs, each with its threshold and FNMR.

        (FMR, threshold, FNMR), from the highest FMR. At least FEWEST pairs of different people stand for each.
        """
        least = FEWEST / max(1, int(self.different.sum()))
        rates = [float(f"{first}e{power}") for power in range(-9, 0) for first in DECADE]
        found = [(rate, self.threshold(rate)) for rate in sorted(rates, reverse=True) if rate >= least]
        return [(rate, limit, self.at(limit)[1]) for rate, limit in found if limit <= 1]


def _shares(counts: np.ndarray) -> np.ndarray:
    """Share of the counts from each bin on, [BINS + 1]."""
    reached = np.append(counts[::-1].cumsum()[::-1], 0)
    total = reached[0]
    shares: np.ndarray = reached / total if total else np.full(len(reached), np.nan)
    return shares


@dataclass(frozen=True)
class OpenSet:
    """Queries whose person may be absent from the gallery.

    match, other: largest similarity of each query to a match and to another person, float32 [Nq]; -inf without one.
    first: whether the match ranks first.

    After the protocol of open-set re-identification (Liao et al., Open-set person re-identification, arXiv:1408.0872):
    a true identification is a query whose match ranks first and reaches the threshold; a false one is a query of an
    absent person whose first answer reaches it. As datasets have few absent persons, each query is asked twice: as it
    is, and with its person taken out of the gallery.
    """

    match: np.ndarray
    other: np.ndarray
    first: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Queries whose person is in the gallery, bool [Nq]."""
        found: np.ndarray = np.isfinite(self.match)
        return found

    def found(self, threshold: float) -> np.ndarray:
        """Queries that are identified truly, bool [Nq].

        Their share of the present is the TPIR.
        """
        right: np.ndarray = self.first & (self.match >= np.float32(threshold))
        return right

    def taken(self, threshold: float) -> np.ndarray:
        """Queries that are identified falsely when absent, bool [Nq].

        Their share is the FPIR.
        """
        wrong: np.ndarray = self.other >= np.float32(threshold)
        return wrong

    def threshold(self, rate: float) -> float:
        """Lowest threshold with an FPIR of at most `rate`.

        Above 1 where there is none.
        """
        finite = self.other[np.isfinite(self.other)]
        shares = np.append(np.bincount(bins(finite), minlength=BINS)[::-1].cumsum()[::-1], 0) / max(1, len(self.other))
        return edge(int(np.argmax(shares <= rate)))
