"""Rates of errors with their intervals over persons.

A pair of different people belongs to both of them: one may be drawn twice, the other not at all. To first order the
number of errors in a draw is that of the sample, plus for each person as many times its errors as it was drawn more
than once (Owen, The pigeonhole bootstrap, 2007, has the whole of it). So sums by person are enough, and memory does not
depend on the number of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.certainty import MeasuredRate
from sorn.bootstrap import interval, resampled_sums
from sorn.error_rates import EqualError
from sorn.pairs import PersonTally

PairRates = tuple[MeasuredRate, MeasuredRate]
# FMR and FNMR.


@dataclass(frozen=True)
class MeasuredRates:
    """Rates at each row of thresholds of a tally.

    all: of all pairs. by_common: of those with 0, 1, 2, ... stripes and part groups in common. equal_error: that of the
    first row, which is the threshold of the equal error rate.
    """

    all: list[PairRates]
    by_common: list[list[PairRates]]
    equal_error: MeasuredRate


def measured_rates(tally: PersonTally, equal: EqualError) -> MeasuredRates:
    """Rates of a tally with their intervals.

    equal: of the same pairs, whose threshold is the first row.
    """
    rows, kinds = tally.thresholds.shape
    columns = [_with_sum(tally.different), _with_sum(tally.same)]
    columns += [_with_sum(values) for errors in (tally.wrong, tally.missed) for values in errors]
    sums = np.stack(columns, axis=1)  # [persons, 2 + 2 rows, kinds + 1]
    draws = _draws(sums)
    rates = [
        [
            (_rate(sums, draws, 2 + row, 0, kind), _rate(sums, draws, 2 + rows + row, 1, kind))
            for kind in range(kinds + 1)
        ]
        for row in range(rows)
    ]
    return MeasuredRates([row[-1] for row in rates], [row[:-1] for row in rates], _equal(sums, draws, 2 + rows, equal))


def query_rate(hit: np.ndarray, counted: np.ndarray, pid: np.ndarray) -> MeasuredRate:
    """Share of the counted queries that are hit.

    Bool [Nq] each. pid: of the queries.
    """
    _, person = np.unique(pid, return_inverse=True)
    sums = np.stack([np.bincount(person, weights=values) for values in (hit & counted, counted)], axis=1)
    total = sums.sum(axis=0)
    if not total[1]:
        return MeasuredRate(None)
    value = float(total[0] / total[1])
    if len(sums) < 2 or value in (0, 1):
        return MeasuredRate(value)
    draws = resampled_sums(sums)
    return _measured(value, _shares(draws[:, 0], draws[:, 1]))


def _with_sum(values: np.ndarray) -> np.ndarray:
    """[persons, kinds] with a column of their sum."""
    return np.concatenate([values, values.sum(axis=1, keepdims=True)], axis=1)


def _draws(sums: np.ndarray) -> np.ndarray | None:
    """Sums over the persons of each draw, [draws, columns, kinds + 1]; None with fewer than two persons."""
    if len(sums) < 2:
        return None
    return resampled_sums(sums.reshape(len(sums), -1)).reshape(-1, *sums.shape[1:])


def _rate(sums: np.ndarray, draws: np.ndarray | None, errors: int, pairs: int, kind: int) -> MeasuredRate:
    """Rate of one column of errors among one of pairs."""
    wrong, count = (sums[:, column, kind].sum() for column in (errors, pairs))
    if not count:
        return MeasuredRate(None)
    value = float(wrong / count)
    if draws is None or value in (0, 1):
        return MeasuredRate(value)
    return _measured(value, _of_draws(sums, draws, errors, pairs, kind))


def _measured(value: float, draws: np.ndarray) -> MeasuredRate:
    """Rate with the interval of its draws, within [0, 1].

    Without an interval if no draw has a pair.
    """
    if np.isnan(draws).all():
        return MeasuredRate(value)
    low, high = interval(draws)
    return MeasuredRate(value, max(0.0, low), min(1.0, high))


def _of_draws(sums: np.ndarray, draws: np.ndarray, errors: int, pairs: int, kind: int) -> np.ndarray:
    """The rate in each draw, float64 [draws]."""
    once = 0.5 if pairs == 0 else 0.0  # a pair of different people is in the sums of both
    counts = [draws[:, column, kind] - once * sums[:, column, kind].sum() for column in (errors, pairs)]
    shares: np.ndarray = np.clip(_shares(*counts), 0, 1)
    return shares


def _equal(sums: np.ndarray, draws: np.ndarray | None, missed: int, equal: EqualError) -> MeasuredRate:
    """Equal error rate: both rates move, and with them the threshold where they meet."""
    falling, rising = equal.slopes
    if draws is None or falling + rising <= 0:
        return MeasuredRate(equal.rate)
    found = [_of_draws(sums, draws, errors, pairs, -1) for errors, pairs in ((2, 0), (missed, 1))]
    if any(np.isnan(values).all() for values in found):
        return MeasuredRate(equal.rate)
    moved = [values - np.nanmean(values) for values in found]
    return _measured(equal.rate, equal.rate + (rising * moved[0] + falling * moved[1]) / (falling + rising))


def _shares(errors: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.divide(errors, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return shares
