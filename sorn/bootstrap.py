"""Bootstrap over identities for figures, and for the difference between two evaluations.

Queries of one identity show the same clothes to the same gallery images, so they succeed and fail together. Drawing
single queries would treat them as independent, and the intervals would be too narrow. So whole identities are drawn
(cluster bootstrap: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). No torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 10_000
LEVEL = 0.95
SEED = 0
AT_ONCE = 500  # draws in memory at a time: 12 MB for 3,000 persons
MOST = 400 * AT_ONCE  # persons in the draws of sums, at a time: 2 MB per array


@dataclass(frozen=True)
class Difference:
    """Mean difference between two evaluations, with its interval.

    value: mean of b - a over the queries. low, high: percentile interval of level LEVEL.
    """

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def paired_difference(
    a: np.ndarray, b: np.ndarray, person: np.ndarray, draws: int = DRAWS, seed: int = SEED
) -> Difference:
    """Mean difference b - a over the queries, with its bootstrap interval.

    a, b: float64 [n], one figure per query, for the same n queries in the same order. person: int64 [n], the identity
    of each query. Raises ValueError for fewer than two identities, because their interval would have no width.
    """
    low, high = intervals(b - a, person, draws, seed)
    return Difference(float(np.mean(b - a)), float(low), float(high))


def intervals(
    values: np.ndarray, person: np.ndarray, draws: int = DRAWS, seed: int = SEED
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the bootstrap interval of a mean over the queries.

    They are percentiles, low and high, of level LEVEL. values: float64 [n] or [n, m], m figures per query. Returns two
    arrays, [] or [m]. The draws of all figures are the same. person: as in `paired_difference`, which also says the
    errors.
    """
    low, high = np.quantile(resampled_means(values, person, draws, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def resampled_means(values: np.ndarray, person: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Mean of the values in each bootstrap draw, float64 [draws] or [draws, m].

    values: float64 [n] or [n, m]. A draw takes as many identities as there are, with replacement, each with all its
    values. Raises ValueError for fewer than two identities.
    """
    persons, group = np.unique(person, return_inverse=True)
    if len(persons) < 2:
        raise ValueError(f"{len(persons)} person: an interval over persons needs at least two")
    columns = values.reshape(len(values), -1)
    sums = np.stack([np.bincount(group, weights=column) for column in columns.T], axis=1)
    sizes = np.bincount(group).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = []
    for first in range(0, draws, AT_ONCE):
        chosen = rng.integers(len(persons), size=(min(AT_ONCE, draws - first), len(persons)))
        times = np.stack([np.bincount(draw, minlength=len(persons)) for draw in chosen]).astype(np.float64)
        means.append((times @ sums) / (times @ sizes)[:, None])
    return np.concatenate(means).reshape(draws, *values.shape[1:])


def resampled_sums(values: np.ndarray, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """Sum of values over the persons of each bootstrap draw, float64 [draws, k].

    values: [p, k], a row per person. Raises ValueError for fewer than two persons.
    """
    persons = len(values)
    if persons < 2:
        raise ValueError(f"{persons} person: an interval over persons needs at least two")
    rng, sums = np.random.default_rng(seed), []
    size = max(1, min(AT_ONCE, MOST // persons))  # sums of whole numbers are exact, whatever the size
    for first in range(0, draws, size):
        count = min(size, draws - first)
        chosen = rng.integers(persons, size=(count, persons)) + persons * np.arange(count)[:, None]
        weights = np.bincount(chosen.ravel(), minlength=count * persons).reshape(count, persons)
        sums.append(weights.astype(np.float64) @ values.astype(np.float64))
    return np.concatenate(sums)


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Percentile interval of level LEVEL over bootstrap draws.

    Draws that are nan are left out.
    """
    low, high = np.nanquantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
