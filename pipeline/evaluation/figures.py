"""List of evaluation figures: rank-k, mAP, mINP.

A new metric is one entry of FIGURES.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sorn.metrics import SKIPPED, Metrics


@dataclass(frozen=True)
class Figure:
    """One figure of an evaluation.

    key: its name in report.json and queries.csv. title: its heading in tables. values: Metrics -> float64 [trials, Nq]
    in [0, 1], nan where a query is skipped. whole_gallery, single_shot: whether the tables of such protocols show it.
    compared: whether comparisons of runs do. in_grid: whether the tables of the paper do. headline: whether it also
    stands for a threshold, for a row of the paper and for a whole run.
    """

    key: str
    title: str
    values: Callable[[Metrics], np.ndarray]
    whole_gallery: bool = True
    single_shot: bool = True
    compared: bool = False
    in_grid: bool = False
    headline: bool = False

    def per_query(self, metrics: Metrics) -> np.ndarray:
        """float64 [Nq], mean over the draws; nan where skipped."""
        values: np.ndarray = self.values(metrics).mean(axis=0)
        return values

    def per_trial(self, metrics: Metrics) -> np.ndarray:
        """float64 [trials], mean over the queries used; nan without any."""
        if metrics.queries == 0:
            return np.full(metrics.trials, np.nan)
        values: np.ndarray = self.values(metrics)[:, metrics.used].mean(axis=1)
        return values


def _rank(k: int, metrics: Metrics) -> np.ndarray:
    skipped = metrics.first_hit == SKIPPED
    return np.where(skipped, np.nan, metrics.first_hit <= k)


def rank(k: int) -> Callable[[Metrics], np.ndarray]:
    """Whether a match is among the first k."""
    return functools.partial(_rank, k)


FIGURES = (
    Figure("rank-1", "rank-1", rank(1), compared=True, in_grid=True, headline=True),
    Figure("rank-3", "rank-3", rank(3), whole_gallery=False),
    Figure("rank-5", "rank-5", rank(5), compared=True, in_grid=True),
    Figure("rank-10", "rank-10", rank(10)),
    Figure("mAP", "mAP", lambda metrics: metrics.ap, compared=True, in_grid=True, headline=True),
    Figure("mINP", "mINP", lambda metrics: metrics.inp, single_shot=False, compared=True),
)
KEYS = tuple(figure.key for figure in FIGURES)
COMPARED = tuple(figure for figure in FIGURES if figure.compared)
IN_GRID = tuple(figure for figure in FIGURES if figure.in_grid)
HEADLINE = tuple(figure for figure in FIGURES if figure.headline)


def shown(single_shot: bool) -> tuple[Figure, ...]:
    """Figures that the tables of a protocol show."""
    return tuple(figure for figure in FIGURES if (figure.single_shot if single_shot else figure.whole_gallery))


TITLES = {"sorn, exact masks": "sorn, ground truth", "exact masks": "ground truth"}
# Names in files whose words have changed since: a file format does not change with a word.


def shown_name(stored: str) -> str:
    """Name of a variant or a kind of masks in reports."""
    return TITLES.get(stored, stored)


def stored_name(given: str) -> str:
    """Name of a variant in files, from either spelling."""
    return next((stored for stored, shown in TITLES.items() if shown == given), given)


def measured(metrics: Metrics) -> dict[str, float]:
    """Key -> mean over draws and queries.

    With several draws also "<key>-sd", the standard deviation over them (n - 1).
    """
    trials = {figure.key: figure.per_trial(metrics) for figure in FIGURES}
    means = {key: float(values.mean()) for key, values in trials.items()}
    if metrics.trials == 1:
        return means
    return means | {f"{key}-sd": float(values.std(ddof=1)) for key, values in trials.items()}


def percent(value: float | None, deviation: float | None = None) -> str:
    """A fraction in percent with one digit; "" for None.

    deviation: over the draws, shown behind it.
    """
    if value is None:
        return ""
    spread = "" if deviation is None else f" ± {100 * deviation:.1f}"
    return f"{100 * value:.1f}{spread}"


def chance_percent(value: float | None) -> str:
    """A chance level in percent with two digits; "" for None."""
    return "" if value is None else f"{100 * value:.2f}"
