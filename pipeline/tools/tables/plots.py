"""Plots of the tables: points per seed, mean and interval, as inline SVG for light and dark. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.reports.charts import limits
from pipeline.reports.html import text

STYLE = """
.strips { display: grid; grid-template-columns: minmax(6rem, 17rem) minmax(7rem, 1fr) 10.5rem; gap: .15rem .8rem;
  align-items: center; } .strips svg { width: 100%; height: 1.3rem; display: block; overflow: visible; }
.strips .value { font-variant-numeric: tabular-nums; } .name { overflow-wrap: anywhere; }
.ends { display: flex; justify-content: space-between; font-size: .85em; }
.strips line { vector-effect: non-scaling-stroke; stroke: var(--accent); } .range { stroke-width: 2; }
.strips .seed { stroke: var(--muted); stroke-width: 6; stroke-linecap: round; stroke-opacity: .75; }
.strips .mean { stroke-width: 3; } .strips .zero { stroke: var(--muted); stroke-dasharray: 3 3; }
.strips .holds { stroke: var(--right); } .strips .opposite { stroke: var(--wrong); }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 1rem; }
.curves figure { margin: 0; max-width: 560px; } .curves svg { width: 100%; height: auto; }
.curves figcaption { font-weight: 600; } .curves text { fill: var(--muted); font-size: 12px; }
.curves .grid { stroke: var(--line); } .curves .range, .curves polyline { stroke: var(--accent); fill: none; }
.curves polyline { stroke-width: 2; } .curves .seed { fill: var(--muted); fill-opacity: .75; }
.curves .mean { fill: var(--accent); } table { margin-top: .6rem; } td.number { white-space: nowrap; }
h3 { font-size: 1rem; margin: .8rem 0 .2rem; }
@media (max-width: 600px) { .strips { grid-template-columns: 1fr; } .strips .value { margin-bottom: .5rem; }
  .ends-label { display: none; } }
"""
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 420, 240, 46, 12, 42
LEVELS = ("low", "high", "mean")

Summary = dict[str, Any]  # of pipeline.tools.tables.statistics


def strips(rows: Sequence[tuple[str, Summary, str, str]], signed: bool = False) -> str:
    """A line per row on one scale. rows: name, figures, what is written beside them, CSS class of the interval.

    signed: figures are differences, and zero is marked.
    """
    low, high, _ = limits([*(value for _, found, _, _ in rows for value in _values(found)), *([0.0] if signed else [])])

    def across(value: float) -> float:
        return 1000 * (100 * value - low) / (high - low)

    parts = ['<div class="strips">']
    for name, found, said, kind in rows:
        lines = [_line("zero", across(0), 0, 20)] if signed else []
        lines += [_line("seed", across(value), 10, 10) for value in found["seeds"].values()]
        if found["low"] is not None:
            ends = f'x1="{across(found["low"]):.1f}" x2="{across(found["high"]):.1f}"'
            lines.append(f'<line class="range {kind}" {ends} y1="10" y2="10"/>')
        lines.append(_line(f"mean {kind}", across(found["mean"]), 3, 17))
        label = text(f"{name}: {said}")
        parts.append(
            f'<span class="name">{text(name)}</span><svg viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" '
            f'aria-label="{label}">{"".join(lines)}</svg><span class="value">{text(said)}</span>'
        )
    unit = " points" if signed else " %"
    ends = f"<span>{low:g}{unit}</span><span>{high:g}{unit}</span>"
    return "\n".join([*parts, f'<span class="ends-label"></span><div class="ends muted">{ends}</div></div>'])


def curve(title: str, what: str, points: Sequence[tuple[float, Summary]]) -> str:
    """A figure of means over x, rising, with points per seed and intervals. what: the x value in words."""
    low, high, step = limits([value for _, found in points for value in _values(found)])
    first, last = points[0][0], points[-1][0]
    right, bottom = WIDTH - 14, HEIGHT - BOTTOM

    def x(value: float) -> float:
        return LEFT + 8 + (right - LEFT - 16) * ((value - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - TOP) * (100 * value - low) / (high - low)

    parts = []
    for number in range(round((high - low) / step) + 1):
        level = low + number * step
        height = y(level / 100)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{level:g}</text>')
    line = " ".join(f"{x(value):.1f},{y(found['mean']):.1f}" for value, found in points)
    parts.append(f'<polyline points="{line}"/>')
    end = -1e9
    for value, found in points:
        at = x(value)
        for figure in found["seeds"].values():
            parts.append(f'<circle class="seed" cx="{at:.1f}" cy="{y(figure):.1f}" r="2.5"/>')
        if found["low"] is not None:
            ends = f'y1="{y(found["low"]):.1f}" y2="{y(found["high"]):.1f}"'
            parts.append(f'<line class="range" x1="{at:.1f}" x2="{at:.1f}" {ends}/>')
        parts.append(f'<circle class="mean" cx="{at:.1f}" cy="{y(found["mean"]):.1f}" r="4"/>')
        if at >= end + 28:  # no two values of the axis run into each other
            parts.append(f'<text x="{at:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
            end = at
    parts.append(f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{text(what)}</text>')
    said = ", ".join(f"{what} {value:g}: {100 * found['mean']:.1f} %" for value, found in points)
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}. {text(said)}">'
    return "\n".join([f"<figure><figcaption>{text(title)}, %</figcaption>", head, *parts, "</svg></figure>"])


def _line(kind: str, x: float, top: int, bottom: int) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'


def _values(found: Summary) -> list[float]:
    return [*found["seeds"].values(), *(found[name] for name in LEVELS if found[name] is not None)]
