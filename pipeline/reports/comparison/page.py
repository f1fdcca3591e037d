"""The comparison of evaluations as text: Markdown, one HTML page and lines for the terminal. Writes no file."""

from __future__ import annotations

import json
from typing import Any

from pipeline.reports import html
from pipeline.reports.markdown import pipe_table

STYLE = """
.interval { display: grid; grid-template-columns: minmax(5rem, 14rem) minmax(6rem, 1fr) 12.5rem; gap: .2rem .8rem;
  align-items: center; } .interval svg { width: 100%; height: 1.4rem; display: block; overflow: visible; }
.interval .name { overflow-wrap: anywhere; } .interval .value { font-variant-numeric: tabular-nums; }
.ends { display: grid; grid-template-columns: 1fr auto 1fr; font-size: .85em; } .ends :last-child { text-align: right; }
th { white-space: nowrap; }
svg .zero { stroke: var(--muted); stroke-dasharray: 3 3; } svg .range, svg .dot { stroke: var(--accent); }
svg line { vector-effect: non-scaling-stroke; } svg .range { stroke-width: 2; }
svg .dot { stroke-width: 9; stroke-linecap: round; } svg .better { stroke: var(--right); }
svg .worse { stroke: var(--wrong); }
@media (max-width: 600px) { .interval { grid-template-columns: 1fr; } .interval .value { margin-bottom: .6rem; }
  .ends-label { display: none; } }
"""


def terminal_lines(report: dict[str, Any]) -> list[str]:
    lines = [*_aligned(_figure_rows(report), 2), "", _about(report)]
    for found in report["differences"]:
        lines += [f"{found['run']} against {found['against']}, {report['variant']}:"]
        lines += [f"  {line}" for line in _aligned(_difference_rows(found), 1)]
        lines += [f"  {_counts(report, found)}"]
        changed = ", ".join(item["query"] for item in found["changed"][:3])
        lines += [f"  changed most: {changed}"] if changed else []
    names = ", ".join(report["options"]) or "none"
    return [*lines, f"Options that differ: {names}."]


def markdown(report: dict[str, Any]) -> list[str]:
    """Lines of comparison.md."""
    lines = [f"# {_title(report)}", ""]
    if report["notice"]:
        lines += [f"> **Notice.** {report['notice']}", ""]
    lines += [*pipe_table(_escaped(_figure_rows(report))), "", _about(report), ""]
    for found in report["differences"]:
        lines += [f"## {_escape(found['run'])} against {_escape(found['against'])}", ""]
        lines += [*pipe_table(_escaped(_difference_rows(found))), "", _counts(report, found), ""]
        if found["changed"]:
            lines += [*pipe_table(_escaped(_changed_rows(report, found))), ""]
    lines += ["## Options that differ", ""]
    rows = _escaped(_option_rows(report))
    return lines + (pipe_table(rows, "---") if len(rows) > 1 else ["None."])


def html_page(report: dict[str, Any]) -> str:
    """The whole page."""
    title, about = _title(report), html.text(_about(report))
    body = [f"<h1>{html.text(title)}</h1>"]
    if report["notice"]:
        body.append(f'<p class="note"><b>Notice.</b> {html.text(report["notice"])}</p>')
    body += [html.table(_figure_rows(report), 2), f'<p class="muted">{about}</p>']
    against = f"{report['runs'][0]['name']}, {report['variant']}"
    body += [f"<h2>Differences in points against {html.text(against)}</h2>", _intervals(report)]
    for found in report["differences"]:
        body.append(f"<h2>{html.text(found['run'])} against {html.text(found['against'])}</h2>")
        body += [html.table(_difference_rows(found)), f"<p>{html.text(_counts(report, found))}</p>"]
        if found["changed"]:
            body.append(html.table(_changed_rows(report, found)))
    rows = _option_rows(report)
    body += ["<h2>Options that differ</h2>", html.table(rows, len(rows[0])) if len(rows) > 1 else "<p>None.</p>"]
    return html.page(title, "\n".join(body), STYLE)


def _title(report: dict[str, Any]) -> str:
    setting = report["setting"]
    place = f"{setting['dataset']}, split {setting['split']}, protocol {setting['protocol']}"
    return f"{len(report['runs'])} evaluations of {place}"


def _about(report: dict[str, Any]) -> str:
    interval = report["interval"]
    return (
        f"{report['queries']:,} queries of {report['persons']:,} persons, the same in all; AP is "
        f"{report['setting']['average precision']}. Intervals hold {100 * interval['level']:g} % of "
        f"{interval['draws']:,} bootstrap draws (seed {interval['seed']}) of persons with all their queries, because "
        "queries of one person are not independent. They say what other people would change, not what another seed of "
        "the training would."
    )


def _figure_rows(report: dict[str, Any]) -> list[list[str]]:
    """Every run and variant, in percent."""
    names = list(next(iter(report["runs"][0]["metrics"].values())))
    rows = [["run", "variant, %", *names]]
    for run in report["runs"]:
        for variant, figures in run["metrics"].items():
            rows.append([run["name"], variant, *(f"{100 * figures[name]:.1f}" for name in names)])
    return rows


def _difference_rows(found: dict[str, Any]) -> list[list[str]]:
    rows = [["points", "difference", "from", "to", "interval"]]
    for name, figure in found["figures"].items():
        values = (_points(figure[key]) for key in ("value", "low", "high"))
        rows.append([name, *values, "excludes 0" if figure["excludes_zero"] else "holds 0"])
    return rows


def _counts(report: dict[str, Any], found: dict[str, Any]) -> str:
    counts = (f"{found[kind]:,} {kind}" for kind in ("better", "worse", "equal"))
    return f"Queries by {report['metric']}: {', '.join(counts)}."


def _changed_rows(report: dict[str, Any], found: dict[str, Any]) -> list[list[str]]:
    rows = [["queries that changed most", "person", f"{report['metric']} before, %", "after, %", "points"]]
    for item in found["changed"]:
        before, after = item["before"], item["after"]
        figures = (f"{100 * before:.1f}", f"{100 * after:.1f}", _points(after - before))
        rows.append([item["query"], str(item["pid"]), *figures])
    return rows


def _option_rows(report: dict[str, Any]) -> list[list[str]]:
    rows = [["option", *(run["name"] for run in report["runs"])]]
    for name, values in report["options"].items():
        rows.append([name, *(_short(value) for value in values)])
    return rows


def _short(value: Any) -> str:
    """One value in a table: digests by their first letters, nothing where a run does not have the option."""
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value)
    digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return f"{text[:12]}..." if digest else text


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _aligned(rows: list[list[str]], words: int) -> list[str]:
    """Columns of one width; the first `words` to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:words], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[words:], widths[words:], strict=True)]
        lines.append("  ".join(cells))
    return lines


def _escaped(rows: list[list[str]]) -> list[list[str]]:
    return [[_escape(cell) for cell in row] for row in rows]


def _escape(text: str) -> str:
    """Text in a Markdown table: names of files and runs are no markup."""
    for mark in "\\|*_`<[":
        text = text.replace(mark, f"\\{mark}")
    return text


def _intervals(report: dict[str, Any]) -> str:
    """Per figure and run a line over the interval and a dot at the difference; one scale, zero in the middle."""
    figures = [figure for found in report["differences"] for figure in found["figures"].values()]
    reach = max(0.001, *(abs(figure[key]) for figure in figures for key in ("low", "high", "value")))
    parts = []
    for name in report["differences"][0]["figures"]:
        parts.append(f'<h3>{html.text(name)}</h3>\n<div class="interval">')
        parts += [_interval(found["run"], found["figures"][name], reach) for found in report["differences"]]
        ends = f"<span>{_points(-reach)}</span><span>0</span><span>{_points(reach)}</span>"
        parts.append(f'<span class="ends-label"></span><div class="ends muted">{ends}</div></div>')
    return "\n".join(parts)


def _interval(run: str, figure: dict[str, Any], reach: float) -> str:
    low, value, high = (500 + 500 * figure[key] / reach for key in ("low", "value", "high"))
    kind = ("better" if figure["value"] > 0 else "worse") if figure["excludes_zero"] else ""
    text = f"{_points(figure['value'])}, from {_points(figure['low'])} to {_points(figure['high'])}"
    lines = (
        f'<line class="zero" x1="500" x2="500" y1="0" y2="20"/>'
        f'<line class="range {kind}" x1="{low:.1f}" x2="{high:.1f}" y1="10" y2="10"/>'
        f'<line class="dot {kind}" x1="{value:.1f}" x2="{value:.1f}" y1="10" y2="10"/>'
    )
    drawing = f'<svg viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" aria-label="{text}">{lines}</svg>'
    return f'<span class="name">{html.text(run)}</span>{drawing}<span class="value">{text}</span>'
