"""Charts of plain numbers, such as losses.

Those of pipeline.reports.charts are of fractions, in percent.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from pipeline.reports.charts import LETTER, NAMES, Axes, Chart, Curve, Scale

LINES = 6  # of the grid, at most
NICE = (1, 2, 5, 10)  # steps of a grid, times a power of ten


class ValueAxes(Axes):
    """Axes whose heights are plain numbers."""

    def down(self, value: float) -> float:
        """Height of a value."""
        low, high, _ = self.levels
        return Scale((low, high), (self.bottom, self.top))(value)

    def grid(self) -> list[tuple[float, str]]:
        """Height and number of every line of the grid, the lowest first."""
        low, high, step = self.levels
        levels = [low + number * step for number in range(round((high - low) / step) + 1)]
        return [(self.down(level), f"{round(level / step) * step:.4g}") for level in levels]


@dataclass(frozen=True)
class ValueChart(Chart):
    """Curves of plain numbers."""

    unit: ClassVar[str] = ""  # behind the highest number

    @cached_property
    def axes(self) -> Axes:
        width, names = 480, max(NAMES, 16 + LETTER * max(map(len, self.lines)))
        levels = value_limits([value for values in self.lines.values() for value in values])
        return ValueAxes(width, 300, 52, width - names, (self.x[0], self.x[-1]), levels)

    @cached_property
    def curves(self) -> list[Curve]:
        """Lines in colours of their own, by their order."""
        return [dataclasses.replace(curve, style=f"s{place}") for place, curve in enumerate(super().curves)]

    def summary(self) -> str:
        """For screen readers."""
        ends = ", ".join(f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, values in self.lines.items())
        return f"{self.title}, {self.what} {self.x[0]:.3g} to {self.x[-1]:.3g}: {ends}"

    def _said(self, i: int) -> str:
        values = " · ".join(f"{name} {line[i]:.3g}" for name, line in self.lines.items())
        return f"{self.what} {self.x[i]:.3g}: {values}"


def value_limits(values: Sequence[float]) -> tuple[float, float, float]:
    """Lowest line, highest line and step of a grid.

    It holds the values, and zero where none is below it.
    """
    least, most = min(0.0, *values), max(values)
    if not math.isfinite(most - least) or most <= least:
        return least, least + 1, 1.0
    scale = 10 ** math.floor(math.log10((most - least) / LINES))
    step = next(nice * scale for nice in NICE if (most - least) / (nice * scale) <= LINES)
    return step * math.floor(least / step), step * math.ceil(most / step), step
