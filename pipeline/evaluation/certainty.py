"""Certainty of an evaluation's similarities: contents of report.json, `certainty`."""

from __future__ import annotations

from dataclasses import dataclass

RATES = (0.1, 0.01, 0.001)
# Rates of wrong pairs, or of wrong answers to absent queries, whose thresholds a report shows.

MAIN = 0.01
# The one that is judged.


@dataclass(frozen=True)
class MeasuredRate:
    """A rate in [0, 1] with its interval over persons.

    value: None without a pair to count. low, high: None with fewer than two persons, and where nothing was counted.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def holds(self, rate: float) -> bool | None:
        """Whether the interval contains a rate; None without an interval."""
        return None if self.low is None or self.high is None else self.low <= rate <= self.high


@dataclass(frozen=True)
class ThresholdFigures:
    """Rates at the threshold that was chosen for a false-match rate.

    rate: the FMR it was chosen for. chosen_on: dataset and split. threshold: None for one per number of stripes in
    common. false_match, false_non_match: as measured here.
    """

    rate: float
    chosen_on: str
    threshold: float | None
    false_match: MeasuredRate
    false_non_match: MeasuredRate


@dataclass(frozen=True)
class CommonFigures:
    """Pairs with the same number of stripes and part groups in common.

    same, different: number of pairs. same_quantiles: similarity that 10, 50 and 90 % of the pairs of the same person
    stay below; different_quantiles: 50, 90 and 99 % of those of different people. threshold: chosen for MAIN.
    false_match, false_non_match: there. Values are None where there is no such pair.
    """

    common: int
    same: int
    different: int
    same_quantiles: tuple[float, ...]
    different_quantiles: tuple[float, ...]
    equal_error: float | None
    threshold: float | None
    false_match: MeasuredRate
    false_non_match: MeasuredRate


@dataclass(frozen=True)
class OpenSetFigures:
    """Answers to queries whose person may be absent.

    rate: highest FPIR that the threshold was chosen for, here. false_positive: FPIR. true_positive: TPIR.
    """

    rate: float
    threshold: float
    false_positive: MeasuredRate
    true_positive: MeasuredRate


@dataclass(frozen=True)
class Histogram:
    """Numbers of pairs by similarity, in equal bins from `low` on."""

    low: float
    step: float
    same: tuple[int, ...]
    different: tuple[int, ...]


@dataclass(frozen=True)
class RateCurve:
    """FMR and FNMR over thresholds."""

    thresholds: tuple[float, ...]
    false_match: tuple[float, ...]
    false_non_match: tuple[float, ...]


@dataclass(frozen=True)
class Certainty:
    """Similarities of pairs and rates of errors, under one variant.

    same, different: number of pairs. persons: of queries and gallery. histogram, curve: of all pairs. equal_error: rate
    at `equal_threshold`. chosen_on: where the thresholds were chosen, in words. thresholds: of each of RATES and each
    place. by_common: by number of stripes and part groups in common. open_set: of each of RATES that the queries can
    tell. here: dataset and split of these pairs.
    """

    variant: str
    same: int
    different: int
    persons: int
    histogram: Histogram
    curve: RateCurve
    equal_error: MeasuredRate
    equal_threshold: float
    chosen_on: str
    thresholds: tuple[ThresholdFigures, ...]
    by_common: tuple[CommonFigures, ...]
    open_set: tuple[OpenSetFigures, ...]
    here: str = ""

    def main(self) -> list[ThresholdFigures]:
        """Thresholds for MAIN that were chosen elsewhere."""
        return [row for row in self.thresholds if row.rate == MAIN and self.elsewhere(row)]

    def elsewhere(self, row: ThresholdFigures) -> bool:
        """Whether a threshold was chosen on other pairs than these."""
        return row.chosen_on != self.here
