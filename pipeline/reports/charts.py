"""Charts as view models: coordinates of inline SVG, which charts.html.j2 draws."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

LETTER = 8  # room for a letter of a line's name; phones write them larger
NAMES = 118  # room for the names of the lines, at least
LINE = 17  # least distance between two names
STEPS = (0.5, 1, 2, 5, 10, 20, 25, 50)  # between two lines of the grid, percent

STYLES = {
    "sorn": "s0",
    "global+local": "s1",
    "global": "s2",
    "chance": "chance",
    "colour": "s4",
    "colour, visible stripes": "s5",
    "sorn, ground truth": "s6",
    "parts": "s3",
    "sorn+parts": "s7",
    "rank-1": "s0",
    "mAP": "s1",
}
# Class of a line in charts.css: a colour and a dash each, so that lines can be told apart without colours.


@dataclass(frozen=True)
class Spread:
    """A mean with its interval and its values, all fractions.

    low, high: None for one seed.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...] = ()

    @property
    def values(self) -> list[float]:
        return [*self.seeds, self.mean, *(end for end in (self.low, self.high) if end is not None)]


@dataclass(frozen=True)
class Scale:
    """Linear map from an interval of values to coordinates."""

    values: tuple[float, float]
    pixels: tuple[float, float]

    def __call__(self, value: float) -> float:
        """The coordinate; the middle for an empty interval of values."""
        (low, high), (start, end) = self.values, self.pixels
        share = (value - low) / (high - low) if high > low else 0.5
        return start + share * (end - start)


@dataclass(frozen=True)
class Axes:
    """Axes and box of a chart, in units of the drawing.

    x: first and last value. levels: of `limits`. inset: distance of the first and the last x from the ends of the grid.
    apart: least distance between two x labels.
    """

    width: int
    height: int
    left: int
    right: int
    x: tuple[float, float]
    levels: tuple[float, float, float]
    inset: int = 0
    apart: int = 22
    top: int = 14
    margin: int = 42

    @property
    def bottom(self) -> int:
        return self.height - self.margin

    @property
    def middle(self) -> int:
        return round((self.left + self.right) / 2)

    @cached_property
    def across(self) -> Scale:
        """Scale of the x values."""
        return Scale(self.x, (self.left + self.inset, self.right - self.inset))

    def down(self, fraction: float) -> float:
        """Height of a fraction in [0, 1]."""
        low, high, _ = self.levels
        return Scale((low, high), (self.bottom, self.top))(100 * fraction)

    def grid(self) -> list[tuple[float, str]]:
        """Height and percentage of every line of the grid, the lowest first."""
        low, high, step = self.levels
        levels = [low + number * step for number in range(round((high - low) / step) + 1)]
        return [(self.down(level / 100), f"{level:g}") for level in levels]

    def labels(self, values: Sequence[float]) -> list[tuple[float, str]]:
        """Place and text of the x values that have room."""
        kept: list[tuple[float, str]] = []
        for value in values:
            x = self.across(value)
            if not kept or x >= kept[-1][0] + self.apart:
                kept.append((x, f"{value:g}"))
        return kept


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    style: its class in charts.css. points: x and y, in units of the drawing. label: height of its name, to the right of
    its end.
    """

    name: str
    style: str
    points: list[tuple[float, float]]
    label: float


@dataclass(frozen=True)
class Chart:
    """Curves of fractions with their names, and a cursor for report.js.

    x: rising. lines: name -> a fraction in [0, 1] per x. what: the x value in words, "rank" or "tau". ticks: x values
    that are written, as far as there is room. marked: the x in use, if one is. dots: whether single points are shown.
    """

    title: str
    what: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    ticks: Sequence[float]
    marked: float | None = None
    dots: bool = False
    unit: ClassVar[str] = " %"

    @cached_property
    def axes(self) -> Axes:
        width = 480
        names = max(NAMES, 16 + LETTER * max(map(len, self.lines)))
        levels = limits([value for values in self.lines.values() for value in values])
        return Axes(width, 300, 52, width - names, (self.x[0], self.x[-1]), levels)

    @cached_property
    def curves(self) -> list[Curve]:
        axes = self.axes
        across = [axes.across(value) for value in self.x]
        down = {name: [axes.down(value) for value in values] for name, values in self.lines.items()}
        rising = sorted(down, key=lambda name: down[name][-1])
        labels = dict(zip(rising, apart([down[name][-1] for name in rising], LINE, axes.bottom), strict=True))
        return [
            Curve(name, STYLES.get(name, "s3"), list(zip(across, heights, strict=True)), labels[name])
            for name, heights in down.items()
        ]

    @property
    def at(self) -> int:
        """Position of the x whose values are shown first."""
        marked = self.x[0] if self.marked is None else self.marked
        return min(range(len(self.x)), key=lambda i: abs(self.x[i] - marked))

    @cached_property
    def said(self) -> list[str]:
        """The values of all lines in words, per x."""
        return [self._said(i) for i in range(len(self.x))]

    def cursor(self) -> str:
        """JSON of the cursor, for report.js.

        x: per value. y: per line and value. said: words per value. at: where the cursor starts.
        """
        lines = [[round(y, 1) for _, y in curve.points] for curve in self.curves]
        across = [round(self.axes.across(value), 1) for value in self.x]
        return json.dumps({"x": across, "y": lines, "said": self.said, "at": self.at})

    def summary(self) -> str:
        """For screen readers."""
        ends = ", ".join(f"{name} from {100 * v[0]:.1f} to {100 * v[-1]:.1f} %" for name, v in self.lines.items())
        return f"{self.title}, {self.what} {self.x[0]:g} to {self.x[-1]:g}: {ends}"

    def _said(self, i: int) -> str:
        values = " · ".join(f"{name} {100 * line[i]:.1f}" for name, line in self.lines.items())
        return f"{self.what} {self.x[i]:g}: {values} %"


@dataclass(frozen=True)
class SeedCurve:
    """Means over x, rising, with a point per seed and intervals.

    what: the x value in words.
    """

    title: str
    what: str
    points: Sequence[tuple[float, Spread]]

    @cached_property
    def axes(self) -> Axes:
        levels = limits([value for _, spread in self.points for value in spread.values])
        return Axes(420, 240, 46, 406, (self.points[0][0], self.points[-1][0]), levels, inset=8, apart=28, top=12)

    @property
    def x(self) -> list[float]:
        return [value for value, _ in self.points]

    @property
    def line(self) -> list[tuple[float, float]]:
        """The means, in units of the drawing."""
        return [(self.axes.across(value), self.axes.down(spread.mean)) for value, spread in self.points]

    def summary(self) -> str:
        """For screen readers."""
        values = ", ".join(f"{self.what} {value:g}: {100 * spread.mean:.1f} %" for value, spread in self.points)
        return f"{self.title}. {values}"


@dataclass(frozen=True)
class Strip:
    """One row of strips.

    said: what is written beside it. kind: class of its interval in charts.css.
    """

    name: str
    spread: Spread
    said: str
    kind: str = ""


@dataclass(frozen=True)
class Strips:
    """Intervals on one scale, a line per row.

    low, high: ends of the scale, percent. ends: what is written there. zero: whether zero is marked. dots: means as
    dots, not as upright lines.
    """

    title: str
    rows: Sequence[Strip]
    low: float
    high: float
    ends: Sequence[str]
    zero: bool = False
    dots: bool = False

    @classmethod
    def on_grid(cls, title: str, rows: Sequence[Strip], differences: bool = False) -> Strips:
        """Figures, or differences of figures, between round numbers."""
        values = [value for row in rows for value in row.spread.values]
        low, high, _ = limits([*values, 0.0] if differences else values)
        unit = " points" if differences else " %"
        return cls(title, rows, low, high, (f"{low:g}{unit}", f"{high:g}{unit}"), zero=differences)

    @classmethod
    def around_zero(cls, title: str, rows: Sequence[Strip], reach: float) -> Strips:
        """Differences, with zero in the middle. reach: fraction at the right end."""
        ends = (f"{-100 * reach:+.1f}", "0", f"{100 * reach:+.1f}")
        return cls(title, rows, -100 * reach, 100 * reach, ends, zero=True, dots=True)

    def across(self, fraction: float) -> float:
        """Place on a strip that is 1000 units wide."""
        return Scale((self.low, self.high), (0, 1000))(100 * fraction)


def limits(values: Sequence[float]) -> tuple[float, float, float]:
    """Lowest line, highest line and step of a grid, in percent.

    values: fractions that it holds. The grid has at most 7 lines.
    """
    least, most = 100 * min(values), 100 * max(values)
    for step in STEPS:
        low, high = step * math.floor(least / step), step * math.ceil(most / step)
        if (high - low) / step <= 6:
            return low, max(high, low + step), step
    return 0.0, 100.0, 50.0


def apart(heights: Sequence[float], least: float, bottom: float) -> list[float]:
    """Rising heights, moved apart.

    least: distance between neighbours. bottom: greatest height.
    """
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + least) if moved else height)
    for i in range(len(moved) - 1, -1, -1):
        moved[i] = min(moved[i], bottom if i == len(moved) - 1 else moved[i + 1] - least)
    return moved
