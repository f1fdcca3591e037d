"""Comparison of evaluations as Markdown and lines for the terminal."""

from __future__ import annotations

import json

from pipeline.evaluation.figures import shown_name
from pipeline.evaluation.run_comparison import EvaluationComparison, RunDifference
from pipeline.reports.markdown import escape, escaped, pipe_table

WARNINGS_CAPTION = "Warnings about these figures:"


def terminal_lines(comparison: EvaluationComparison) -> list[str]:
    """Figures of all runs, and the differences of each from the first."""
    lines = [*_aligned(figure_rows(comparison), 2), "", about(comparison)]
    for found in comparison.differences:
        lines += [f"{found.run} against {found.against}, {shown_name(comparison.variant)}:"]
        lines += [f"  {line}" for line in _aligned(difference_rows(found), 1)]
        lines += [f"  {counts(comparison, found)}"]
        changed = ", ".join(item.query for item in found.changed[:3])
        lines += [f"  changed most: {changed}"] if changed else []
    names = ", ".join(comparison.options) or "none"
    return [*lines, f"Options that differ: {names}."]


def markdown(comparison: EvaluationComparison) -> list[str]:
    """Lines of comparison.md."""
    lines = [f"# {title(comparison)}", ""]
    if comparison.notice:
        lines += [f"> **Notice.** {comparison.notice}", ""]
    lines += [*pipe_table(escaped(figure_rows(comparison))), "", about(comparison), ""]
    if comparison.warnings:
        lines += [WARNINGS_CAPTION, "", *(f"- {escape(str(warning))}" for warning in comparison.warnings), ""]
    for found in comparison.differences:
        lines += [f"## {escape(found.run)} against {escape(found.against)}", ""]
        lines += [*pipe_table(escaped(difference_rows(found))), "", counts(comparison, found), ""]
        if found.changed:
            lines += [*pipe_table(escaped(changed_rows(comparison, found))), ""]
    lines += ["## Options that differ", ""]
    rows = escaped(option_rows(comparison))
    return lines + (pipe_table(rows, "---") if len(rows) > 1 else ["None."])


def title(comparison: EvaluationComparison) -> str:
    """Heading of the comparison."""
    setting = comparison.setting
    place = f"{setting['dataset']}, split {setting['split']}, protocol {setting['protocol']}"
    return f"{len(comparison.runs)} evaluations of {place}"


def about(comparison: EvaluationComparison) -> str:
    """Caption: number of queries, and meaning of the intervals."""
    interval = comparison.interval
    return (
        f"{comparison.queries:,} queries of {comparison.persons:,} persons, the same in all; AP is "
        f"{comparison.setting['average precision']}. Intervals hold {100 * interval.level:g} % of "
        f"{interval.draws:,} bootstrap draws (seed {interval.seed}) of persons with all their queries, because "
        "queries of one person are not independent. They say what other people would change, not what another seed of "
        "the training would."
    )


def figure_rows(comparison: EvaluationComparison) -> list[list[str]]:
    """Every run and variant, in percent."""
    names = list(next(iter(comparison.runs[0].metrics.values())))
    rows = [["run", "variant, %", *names]]
    for run in comparison.runs:
        for variant, figures in run.metrics.items():
            rows.append([run.name, shown_name(variant), *(f"{100 * figures[name]:.1f}" for name in names)])
    return rows


def difference_rows(found: RunDifference) -> list[list[str]]:
    """Figure, difference and its interval, in points."""
    rows = [["points", "difference", "from", "to", "interval"]]
    for name, figure in found.figures.items():
        values = (points(value) for value in (figure.value, figure.low, figure.high))
        rows.append([name, *values, "excludes 0" if figure.excludes_zero else "holds 0"])
    return rows


def counts(comparison: EvaluationComparison, found: RunDifference) -> str:
    """Number of better, worse and equal queries."""
    kinds = (f"{number:,} {kind}" for kind, number in found.counts().items())
    return f"Queries by {comparison.metric}: {', '.join(kinds)}."


def changed_rows(comparison: EvaluationComparison, found: RunDifference) -> list[list[str]]:
    """The queries that changed most, before and after."""
    rows = [["queries that changed most", "person", f"{comparison.metric} before, %", "after, %", "points"]]
    for item in found.changed:
        before, after = item.before, item.after
        figures = (f"{100 * before:.1f}", f"{100 * after:.1f}", points(after - before))
        rows.append([item.query, str(item.pid), *figures])
    return rows


def option_rows(comparison: EvaluationComparison) -> list[list[str]]:
    """Options that differ, and their value in every run."""
    rows = [["option", *(run.name for run in comparison.runs)]]
    for name, values in comparison.options.items():
        rows.append([name, *(_short(value) for value in values)])
    return rows


def _short(value: object) -> str:
    """Value as text of a table: digests are cut, and a missing option is "not set"."""
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value)
    digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return f"{text[:12]}..." if digest else text


def points(share: float) -> str:
    """A difference of fractions, as in "+1.5"."""
    return f"{100 * share:+.1f}"


def _aligned(rows: list[list[str]], words: int) -> list[str]:
    """Rows with aligned columns: the first `words` to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:words], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[words:], widths[words:], strict=True)]
        lines.append("  ".join(cells))
    return lines
