"""Charts of similarities and error rates as view models, drawn as `charts.Chart`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.evaluation.certainty import Histogram, RateCurve
from pipeline.reports.charts import Chart, Curve

SAME, DIFFERENT = "same person", "different"
FALSE_MATCH, FALSE_NON_MATCH = "FMR", "FNMR"
STYLES = {SAME: "s2", DIFFERENT: "s1", FALSE_MATCH: "s1", FALSE_NON_MATCH: "s2"}
TICK = 0.2  # between two similarities that are written


@dataclass(frozen=True)
class StyledChart(Chart):
    """Chart whose lines have classes of their own.

    styles: name of a line -> its class in charts.css. width: of a bar, in units of x; 0 for lines alone. start: the x
    whose values are shown first.
    """

    styles: Mapping[str, str] = field(default_factory=dict)
    width: float = 0.0
    start: float = 0.0

    @property
    def at(self) -> int:
        """Position of the x whose values are shown first."""
        return min(range(len(self.x)), key=lambda i: abs(self.x[i] - self.start))

    @cached_property
    def curves(self) -> list[Curve]:
        plain = Chart(self.title, self.what, self.x, self.lines, self.ticks).curves
        return [dataclasses.replace(curve, style=self.styles[curve.name]) for curve in plain]

    @property
    def areas(self) -> list[tuple[str, list[tuple[float, float]]]]:
        """Bars of each line as one outline: its class, and its corners."""
        if not self.width:
            return []
        half, floor = (self.axes.across(self.width) - self.axes.across(0)) / 2, float(self.axes.bottom)
        found = []
        for curve in self.curves:
            corners = [(x + side * half, y) for x, y in curve.points for side in (-1, 1)]
            found.append((curve.style, [(corners[0][0], floor), *corners, (corners[-1][0], floor)]))
        return found


def histogram(counts: Histogram, start: float) -> StyledChart:
    """Two histograms of similarities, of the same person and different people."""
    x = [round(counts.low + (number + 0.5) * counts.step, 3) for number in range(len(counts.same))]
    lines = {SAME: _shares(counts.same), DIFFERENT: _shares(counts.different)}
    title = "Similarities of pairs"
    return StyledChart(title, "similarity", x, lines, _ticks(x), None, False, STYLES, counts.step, start)


def rate_curve(curve: RateCurve, start: float) -> StyledChart:
    """FMR and FNMR over thresholds."""
    lines = {FALSE_MATCH: curve.false_match, FALSE_NON_MATCH: curve.false_non_match}
    title = "Error rates at a threshold"
    x = [round(value, 3) for value in curve.thresholds]
    return StyledChart(title, "threshold", x, lines, _ticks(x), styles=STYLES, start=start)


def _shares(counts: Sequence[int]) -> list[float]:
    return [count / max(1, sum(counts)) for count in counts]


def _ticks(x: Sequence[float]) -> list[float]:
    first, last = math.ceil(x[0] / TICK), math.floor(x[-1] / TICK)
    return [round(number * TICK, 1) + 0.0 for number in range(first, last + 1)] or [x[0]]
