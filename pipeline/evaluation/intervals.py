"""Bootstrap intervals of figures over persons: typed content of reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.figures import HEADLINE
from sorn.bootstrap import DRAWS, LEVEL, SEED, intervals
from sorn.metrics import Metrics


@dataclass(frozen=True)
class BootstrapInterval:
    """Settings of the bootstrap intervals.

    level: share of the draws that they hold. drawn: what is resampled, in words.
    """

    level: float = LEVEL
    draws: int = DRAWS
    seed: int = SEED
    drawn: str = "persons, with all their queries"


@dataclass(frozen=True)
class PersonInterval:
    """Interval of one figure over persons, fractions."""

    low: float
    high: float


@dataclass(frozen=True)
class FigureIntervals:
    """Intervals of the figures of an evaluation.

    persons: number of persons that were drawn from. figures: variant -> figure -> its interval.
    """

    interval: BootstrapInterval
    persons: int
    figures: dict[str, dict[str, PersonInterval]]

    def of(self, variant: str, figure: str) -> PersonInterval | None:
        """Interval of a figure; None if it has none."""
        return self.figures.get(variant, {}).get(figure)


def person_intervals(found: Mapping[str, Metrics], pid: np.ndarray) -> FigureIntervals | None:
    """Intervals of rank-1 and mAP of every variant.

    pid: int64 [Nq], identities of the queries. None if the queries that are used are of fewer than two persons.
    """
    used = next(iter(found.values())).used
    persons = len(np.unique(pid[used]))
    if persons < 2:
        return None
    columns = {
        (variant, figure.key): figure.per_query(metrics)[used]
        for variant, metrics in found.items()
        for figure in HEADLINE
    }
    low, high = intervals(np.stack(list(columns.values()), axis=1), pid[used])
    figures: dict[str, dict[str, PersonInterval]] = {variant: {} for variant in found}
    for (variant, key), least, most in zip(columns, low.tolist(), high.tolist(), strict=True):
        figures[variant][key] = PersonInterval(least, most)
    return FigureIntervals(BootstrapInterval(), persons, figures)
