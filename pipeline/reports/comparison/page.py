"""View model of comparison.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.figures import shown_name
from pipeline.evaluation.run_comparison import EvaluationComparison, FigureDifference, RunDifference
from pipeline.reports.charts import Spread, Strip, Strips
from pipeline.reports.comparison import text
from pipeline.reports.comparison.changed import ChangedPictures
from pipeline.reports.html import Table, render


@dataclass(frozen=True)
class ShownDifference:
    """Difference of one run from the first.

    changed: None if no query changed. pictures: of the queries that changed most.
    """

    title: str
    figures: Table
    counts: str
    changed: Table | None
    pictures: ChangedPictures


@dataclass(frozen=True)
class ComparisonPage:
    """View model of comparison.html.

    strips: the differences, one chart per figure. options: None if none differ.
    """

    title: str
    notice: str
    figures: Table
    about: str
    warnings: list[str]
    against: str
    strips: list[Strips]
    differences: list[ShownDifference]
    options: Table | None
    warnings_caption: str = text.WARNINGS_CAPTION


def html_page(comparison: EvaluationComparison, pictures: Sequence[ChangedPictures]) -> str:
    """The whole page.

    pictures: of the queries that changed, per difference.
    """
    options = text.option_rows(comparison)
    page = ComparisonPage(
        text.title(comparison),
        comparison.notice,
        Table(text.figure_rows(comparison), 2),
        text.about(comparison),
        [str(warning) for warning in comparison.warnings],
        f"{comparison.runs[0].name}, {shown_name(comparison.variant)}",
        _strips(comparison),
        [_shown(comparison, *found) for found in zip(comparison.differences, pictures, strict=True)],
        Table(options, len(options[0])) if len(options) > 1 else None,
    )
    return render("comparison.html.j2", page)


def _shown(comparison: EvaluationComparison, found: RunDifference, pictures: ChangedPictures) -> ShownDifference:
    changed = Table(text.changed_rows(comparison, found)) if found.changed else None
    title = f"{found.run} against {found.against}"
    figures = Table(text.difference_rows(found))
    return ShownDifference(title, figures, text.counts(comparison, found), changed, pictures)


def _strips(comparison: EvaluationComparison) -> list[Strips]:
    """Intervals of all runs, one chart per figure, all on one scale."""
    differences = comparison.differences
    figures = [figure for difference in differences for figure in difference.figures.values()]
    reach = max(0.001, *(abs(end) for figure in figures for end in (figure.low, figure.high, figure.value)))
    return [
        Strips.around_zero(name, [_strip(other.run, other.figures[name]) for other in differences], reach)
        for name in differences[0].figures
    ]


def _strip(run: str, figure: FigureDifference) -> Strip:
    said = f"{text.points(figure.value)}, from {text.points(figure.low)} to {text.points(figure.high)}"
    return Strip(run, Spread(figure.value, figure.low, figure.high), said, figure.direction)
