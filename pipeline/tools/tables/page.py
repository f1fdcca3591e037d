"""Files of the paper's tables, and the view model of tables.html."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.figures import HEADLINE
from pipeline.io.files import write_json, write_text
from pipeline.reports.charts import SeedCurve, Spread, Strip, Strips
from pipeline.reports.html import Table, render
from pipeline.runs.result_paths import TablesPaths
from pipeline.tools.tables import text
from pipeline.tools.tables.evidence import Evidence, MeasuredRow
from pipeline.tools.tables.statistics import Summary

Points = list[tuple[float, dict[str, Summary]]]  # x -> figure -> its summary


@dataclass(frozen=True)
class ShownTable:
    """A table of the paper.

    strips: of rank-1 and mAP. curves: in their place, for a figure of the paper. missing: rows that lack seeds, and
    why.
    """

    title: str
    rows: Table
    strips: Sequence[Strips] = ()
    curves: Sequence[SeedCurve] = ()
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class TablesPage:
    """View model of tables.html.

    orderings: which orderings of the paper hold; None without two rows to compare. tables: rows of ours and the
    paper's. others: what else there is, and whole the command that measures all; "" where nothing else is.
    """

    title: str
    notice: str
    facts: list[str]
    orderings: ShownTable | None
    tables: list[ShownTable]
    jobs: Table
    command: str
    captions: Sequence[str]
    others: str = ""
    whole: str = ""
    orderings_caption: str = text.ORDERINGS_CAPTION


def write_pages(files: TablesPaths, evidence: Evidence) -> None:
    """Write the tables for programs, editors and browsers."""
    write_json(files.json, evidence.to_json())
    write_text(files.markdown, "\n".join(text.markdown(evidence)) + "\n")
    write_text(files.html, html_page(evidence))


def html_page(evidence: Evidence) -> str:
    """The whole page."""
    orderings = Table(text.order_rows(evidence), label=text.ORDERINGS)
    page = TablesPage(
        text.title(evidence),
        evidence.dataset.notice,
        text.facts(evidence),
        ShownTable(text.ORDERINGS, orderings, _order_strips(evidence)) if evidence.expected else None,
        [_shown(evidence, table) for table in evidence.tables] + _shown_sweep(evidence),
        Table(text.job_rows(evidence), 2, "jobs"),
        evidence.command,
        (text.INTERVALS_CAPTION, text.paper_caption(evidence)),
        text.others_line(evidence) if evidence.others else "",
        evidence.whole,
    )
    return render("tables.html.j2", page)


def _shown(evidence: Evidence, table: str) -> ShownTable:
    """A table with strips per figure; a figure of the paper with its curves."""
    title, missing = text.heading(table), text.missing_lines(evidence, table)
    shown = Table(text.figure_rows(evidence, table), label=title)
    if table.startswith("Figure"):
        curves = _curves(table.rpartition(" ")[2], _swept(evidence.of(table)))
        return ShownTable(title, shown, curves=curves, missing=missing)
    strips = {figure.title: _strips(evidence.of(table), figure.key) for figure in HEADLINE}
    charts = [Strips.on_grid(name, rows) for name, rows in strips.items() if rows]
    return ShownTable(title, shown, charts, missing=missing)


def _swept(rows: list[MeasuredRow]) -> Points:
    """Measured rows whose names end like "P = 3", by that number."""
    points = []
    for row in rows:
        number = re.search(r"= ([\d.]+)$", row.name)
        figures = {name: found for name, found in row.figures.items() if found}
        if number and figures:
            points.append((float(number[1]), figures))
    return sorted(points, key=lambda point: point[0])


def _strips(rows: list[MeasuredRow], name: str) -> list[Strip]:
    """One figure of the rows that were measured."""
    found = [(row.name, row.figures[name]) for row in rows]
    return [Strip(row, _spread(figure), text.percent(figure)) for row, figure in found if figure]


def _shown_sweep(evidence: Evidence) -> list[ShownTable]:
    """Figure 8 over tau, if it was measured."""
    if not evidence.tau:
        return []
    curves = _curves("tau", [(point.tau, point.figures) for point in evidence.tau])
    return [ShownTable("Figure 8, tau", Table(text.tau_rows(evidence), label="tau"), curves=curves)]


def _curves(what: str, points: Points) -> list[SeedCurve]:
    if not points:
        return []
    names = [figure.key for figure in HEADLINE]
    return [SeedCurve(name, what, [(x, _spread(found[name])) for x, found in points]) for name in names]


def _order_strips(evidence: Evidence) -> list[Strips]:
    found = [(order.name, order.figures["rank-1"]) for order in evidence.expected]
    rows = [
        Strip(name, _spread(figure.difference), text.points(figure.difference), figure.verdict)
        for name, figure in found
        if figure.difference
    ]
    return [Strips.on_grid("points of rank-1", rows, differences=True)] if rows else []


def _spread(found: Summary) -> Spread:
    return Spread(found.mean, found.low, found.high, tuple(found.seeds.values()))
