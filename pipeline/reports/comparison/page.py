"""Comparison of evaluations as Markdown, HTML page and lines for the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.reports.charts import Spread, Strip, Strips
from pipeline.reports.html import Table, render
from pipeline.reports.markdown import pipe_table


@dataclass(frozen=True)
class ShownDifference:
    """One run against the first. changed: None where no query changed."""

    title: str
    figures: Table
    counts: str
    changed: Table | None


@dataclass(frozen=True)
class ComparisonPage:
    """What comparison.html shows. strips: the differences, one chart per figure. options: None where none differ."""

    title: str
    notice: str
    figures: Table
    about: str
    against: str
    strips: list[Strips]
    differences: list[ShownDifference]
    options: Table | None


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
    options = _option_rows(report)
    page = ComparisonPage(
        _title(report),
        report["notice"],
        Table(_figure_rows(report), 2),
        _about(report),
        f"{report['runs'][0]['name']}, {report['variant']}",
        _strips(report),
        [_shown(report, found) for found in report["differences"]],
        Table(options, len(options[0])) if len(options) > 1 else None,
    )
    return render("comparison.html.j2", page)


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


def _shown(report: dict[str, Any], found: dict[str, Any]) -> ShownDifference:
    changed = Table(_changed_rows(report, found)) if found["changed"] else None
    title = f"{found['run']} against {found['against']}"
    return ShownDifference(title, Table(_difference_rows(found)), _counts(report, found), changed)


def _strips(report: dict[str, Any]) -> list[Strips]:
    """Per figure the interval of every run, all on one scale."""
    figures = [figure for found in report["differences"] for figure in found["figures"].values()]
    reach = max(0.001, *(abs(figure[key]) for figure in figures for key in ("low", "high", "value")))
    return [
        Strips.around_zero(
            name, [_strip(found["run"], found["figures"][name]) for found in report["differences"]], reach
        )
        for name in report["differences"][0]["figures"]
    ]


def _strip(run: str, figure: dict[str, Any]) -> Strip:
    kind = ("better" if figure["value"] > 0 else "worse") if figure["excludes_zero"] else ""
    said = f"{_points(figure['value'])}, from {_points(figure['low'])} to {_points(figure['high'])}"
    return Strip(run, Spread(figure["value"], figure["low"], figure["high"]), said, kind)
