"""Intervals of an evaluation's figures over persons: charts, table rows, Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.figures import HEADLINE, percent, shown_name
from pipeline.evaluation.intervals import FigureIntervals
from pipeline.evaluation.report import Report
from pipeline.reports.charts import Spread, Strip, Strips
from pipeline.reports.evaluation.bracket import bracketed
from pipeline.reports.evaluation.text import MarkdownContents
from pipeline.reports.markdown import pipe_table


@dataclass(frozen=True)
class IntervalsView:
    """One chart per figure, a line per variant."""

    charts: list[Strips]
    caption: str


def intervals_view(report: Report) -> IntervalsView | None:
    """View model of the intervals; None without any."""
    found = report.intervals
    if found is None:
        return None
    charts = [
        Strips.on_grid(figure.title, [_strip(report, found, name, figure.key) for name in found.figures])
        for figure in HEADLINE
    ]
    return IntervalsView(charts, caption(found))


def _strip(report: Report, found: FigureIntervals, variant: str, figure: str) -> Strip:
    ends, value = found.figures[variant][figure], report.metrics[variant][figure]
    spread = Spread(value, ends.low, ends.high)
    return Strip(shown_name(variant), spread, f"{percent(value)} %, {bracketed(report, variant, figure)}")


def caption(found: FigureIntervals) -> str:
    """Meaning of the intervals."""
    made = found.interval
    return (
        f"Intervals hold {100 * made.level:g} % of {made.draws:,} bootstrap draws (seed {made.seed}) of the "
        f"{found.persons:,} persons with all their queries, because queries of one person are not independent. They "
        "say what other people would change, not what another seed of the training would. All variants answer the same "
        "queries, so two that overlap may still differ: `sorn report compare` pairs the queries of two runs."
    )


def interval_lines(contents: MarkdownContents) -> list[str]:
    report = contents.report
    if report.intervals is None:
        return []
    rows = [["from, to, %", *(figure.title for figure in HEADLINE)]]
    for variant in report.intervals.figures:
        rows.append([shown_name(variant), *(bracketed(report, variant, figure.key) for figure in HEADLINE)])
    return [*pipe_table(rows), "", caption(report.intervals), ""]
