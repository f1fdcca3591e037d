"""Means over seeds with confidence intervals: Student's t.

A seed changes initial weights, order and flips of a training. The interval shows the effect of other seeds on these
images, not the effect of other people.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

LEVEL = 0.95
T_975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
# Quantile of the t distribution that leaves 2.5 % above it, for 1 to 9 degrees of freedom.
Z_975 = 1.959964


@dataclass(frozen=True)
class Summary:
    """Mean over seeds.

    seeds: seed -> figure. sd: of one seed. low, high: interval of the mean; None for one seed.
    """

    seeds: dict[str, float]
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def t_quantile(freedom: int) -> float:
    """The 97.5 % quantile of the t distribution.

    freedom: degrees of freedom. Above the table it is the first terms of its expansion around the normal quantile
    (Abramowitz and Stegun 26.7.5), which are 0.003 too low at most.
    """
    if freedom <= len(T_975):
        return T_975[freedom - 1]
    z = Z_975
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def summary(values: Mapping[int, float]) -> Summary | None:
    """Summary of the figures of some seeds; None without any."""
    if not values:
        return None
    mean, sd, low, high = statistics.fmean(values.values()), None, None, None
    if len(values) > 1:
        sd = statistics.stdev(values.values())
        reach = t_quantile(len(values) - 1) * sd / math.sqrt(len(values))
        low, high = mean - reach, mean + reach
    return Summary({str(seed): value for seed, value in sorted(values.items())}, mean, sd, low, high)


def verdict(difference: Summary | None) -> str:
    """Verdict on an ordering that expects the difference above zero."""
    if difference is None:
        return "not measured"
    if difference.low is not None and difference.low > 0:
        return "holds"
    if difference.high is not None and difference.high < 0:
        return "opposite"
    return "undecided"
