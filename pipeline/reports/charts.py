"""The page's curves: fractions -> inline SVG that reads in light and dark, with its lines named where they end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.reports.html import text

WIDTH, HEIGHT = 480, 300
LEFT, TOP, BOTTOM = 52, 14, 42  # room for the axes
RIGHT = 118  # room for the names of the lines, at least
LETTER = 8  # of that room, for a letter of a longer name; phones write them larger
LINE = 17  # least distance between two names
TICK = 22  # least distance between two values of the x axis
STEPS = (0.5, 1, 2, 5, 10, 20, 25, 50)  # between two lines of the grid, percent

STYLES = {
    "sorn": "s0",
    "global+local": "s1",
    "global": "s2",
    "chance": "chance",
    "colour": "s4",
    "colour, visible stripes": "s5",
    "sorn, exact masks": "s6",
    "rank-1": "s0",
    "mAP": "s1",
}
# Class of a line in page.css: a colour and a dash each, so that lines can be told apart without colours.


@dataclass(frozen=True)
class Chart:
    """x: rising. lines: name -> a fraction in [0, 1] per x. what: the x value in words, "rank" or "tau".

    ticks: x values that are written, as far as there is room. marked: the x in use, if one is. dots: whether single
    points are shown.
    """

    title: str
    what: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    ticks: Sequence[float]
    marked: float | None = None
    dots: bool = False

    @property
    def right(self) -> int:
        """Where the curves end: the names of the lines are to the right of it."""
        return WIDTH - max(RIGHT, 16 + LETTER * max(map(len, self.lines)))

    def html(self) -> str:
        """A figure: the curves, and a line of text with the values at one x, which page.js moves."""
        low, high, step = limits([value for values in self.lines.values() for value in values])
        across = [_between(value, (self.x[0], self.x[-1]), (LEFT, self.right)) for value in self.x]
        down = {
            name: [_between(100 * value, (low, high), (HEIGHT - BOTTOM, TOP)) for value in values]
            for name, values in self.lines.items()
        }
        said = [self._said(i) for i in range(len(self.x))]
        first = 0 if self.marked is None else min(range(len(self.x)), key=lambda i: abs(self.x[i] - (self.marked or 0)))
        chart = {"x": _round(across), "y": [_round(values) for values in down.values()], "said": said, "at": first}
        parts = [*self._grid(low, high, step), *self._mark(), *self._curves(across, down), *self._names(down)]
        spots = "".join(f'<circle class="spot {_style(name)}" r="4"/>' for name in down)
        return (
            f'<figure class="chart" data-chart="{text(json.dumps(chart))}">\n'
            f"<figcaption>{text(self.title)}</figcaption>\n"
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(self._summary())}">\n'
            + "\n".join(parts)
            + f'\n<g class="cursor" hidden><line y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>{spots}</g>\n</svg>\n'
            f'<output class="said">{text(said[first])}</output>\n</figure>'
        )

    def _said(self, i: int) -> str:
        values = " · ".join(f"{name} {100 * line[i]:.1f}" for name, line in self.lines.items())
        return f"{self.what} {self.x[i]:g}: {values} %"

    def _summary(self) -> str:
        ends = ", ".join(f"{name} from {100 * v[0]:.1f} to {100 * v[-1]:.1f} %" for name, v in self.lines.items())
        return f"{self.title}, {self.what} {self.x[0]:g} to {self.x[-1]:g}: {ends}"

    def _grid(self, low: float, high: float, step: float) -> list[str]:
        parts, bottom, right = [], HEIGHT - BOTTOM, self.right
        for number in range(round((high - low) / step) + 1):
            value = low + number * step
            y = _between(value, (low, high), (bottom, TOP))
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            percent = f"{value:g}{' %' if number == round((high - low) / step) else ''}"
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent}</text>')
        last = -math.inf
        for value in self.ticks:
            x = _between(value, (self.x[0], self.x[-1]), (LEFT, right))
            if x < last + TICK:
                continue
            last = x
            parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
        parts.append(
            f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{text(self.what)}</text>'
        )
        return parts

    def _mark(self) -> list[str]:
        if self.marked is None:
            return []
        x = _between(self.marked, (self.x[0], self.x[-1]), (LEFT, self.right))
        return [
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>',
            f'<text class="mark" x="{x + 5:.1f}" y="{HEIGHT - BOTTOM - 6}">in use: {self.marked:g}</text>',
        ]

    def _curves(self, across: list[float], down: dict[str, list[float]]) -> list[str]:
        parts = []
        for name, heights in down.items():
            points = [f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True)]
            parts.append(f'<polyline class="{_style(name)}" points="{" ".join(points)}"/>')
            if self.dots:
                circles = zip(across, heights, strict=True)
                parts += [f'<circle class="{_style(name)}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in circles]
        return parts

    def _names(self, down: dict[str, list[float]]) -> list[str]:
        """Beside the end of each line, moved apart where ends meet."""
        ends = dict(sorted(((name, heights[-1]) for name, heights in down.items()), key=lambda item: item[1]))
        parts, right = [], self.right
        for (name, end), y in zip(ends.items(), apart(list(ends.values()), LINE, HEIGHT - BOTTOM), strict=True):
            parts.append(f'<path class="lead" d="M{right + 2} {end:.1f}L{right + 10} {y:.1f}"/>')
            parts.append(f'<text class="name {_style(name)}" x="{right + 13}" y="{y + 4.5:.1f}">{text(name)}</text>')
        return parts


def limits(values: Sequence[float]) -> tuple[float, float, float]:
    """Lowest and highest line of a grid that holds these fractions, and its step, in percent; at most 7 lines."""
    least, most = 100 * min(values), 100 * max(values)
    for step in STEPS:
        low, high = step * math.floor(least / step), step * math.ceil(most / step)
        if (high - low) / step <= 6:
            return low, max(high, low + step), step
    return 0.0, 100.0, 50.0


def apart(heights: Sequence[float], least: float, bottom: float) -> list[float]:
    """Rising heights, moved until neighbours are `least` apart and none is beyond `bottom`."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + least) if moved else height)
    for i in range(len(moved) - 1, -1, -1):
        moved[i] = min(moved[i], bottom if i == len(moved) - 1 else moved[i + 1] - least)
    return moved


def _between(value: float, source: tuple[float, float], target: tuple[float, float]) -> float:
    """From one interval to the other; the middle of the target for an empty source."""
    share = (value - source[0]) / (source[1] - source[0]) if source[1] > source[0] else 0.5
    return target[0] + share * (target[1] - target[0])


def _round(values: list[float]) -> list[float]:
    return [round(value, 1) for value in values]


def _style(name: str) -> str:
    return STYLES.get(name, "s3")
