"""View model of runs/index.html, and the same as lines for the terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from pipeline.evaluation.figures import HEADLINE, percent
from pipeline.reports.evaluation.bracket import bracketed
from pipeline.reports.html import render
from pipeline.runs.layout import EXPERIMENTS, MAP
from pipeline.tools.overview.collection import FoundEvaluation, MissingCell, Overview, differing

PAGES = {  # pattern below the folder of runs -> what it is
    "compare-*/comparison.html": "comparison",
    "labels-*/index.html": "labels",
    "*/tables/tables.html": "tables of the paper",
    "search/search.html": "search",
    f"*/eval*/{MAP}": "map",
    f"*/{EXPERIMENTS}/*/eval*/{MAP}": "map",
}
TOLD = 4  # differences that are shown at once
DATE = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Link:
    """A page below the folder of runs.

    address: relative to that folder, "" for none.
    """

    words: str
    address: str = ""


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation. figures: rank-1 and mAP with their intervals. date: UTC."""

    report: Link
    trained_on: str
    variant: str
    figures: list[tuple[str, str]]
    differs: list[str]
    date: str

    @property
    def first(self) -> list[str]:
        return self.differs[:TOLD]

    @property
    def others(self) -> list[str]:
        return self.differs[TOLD:]


@dataclass(frozen=True)
class EvaluationGroup:
    """Evaluations of one dataset, split and protocol."""

    title: str
    rows: list[EvaluationRow]


@dataclass(frozen=True)
class Matrix:
    """Networks and datasets.

    rows: name, and a cell per dataset; None where it is missing.
    """

    columns: list[str]
    rows: list[tuple[str, list[Link | None]]]
    missing: list[MissingCell]


@dataclass(frozen=True)
class OverviewPage:
    """View model of index.html.

    unevaluated: trainings, each with the command that evaluates it. unreadable: reports, each with what is wrong.
    """

    title: str
    facts: str
    figures: list[str]
    groups: list[EvaluationGroup]
    matrix: Matrix | None
    unevaluated: list[tuple[str, str]]
    unreadable: list[tuple[str, str]]
    pages: list[tuple[str, Link]] = field(default_factory=list)


def html_page(overview: Overview) -> str:
    """The whole page."""
    return render("overview.html.j2", view(overview))


def view(overview: Overview) -> OverviewPage:
    runs = overview.runs
    counts = " and ".join(
        f"{number:,} {word}{'' if number == 1 else 's'}"
        for word, number in (("training", len(overview.trainings)), ("evaluation", len(overview.evaluations)))
    )
    return OverviewPage(
        "Runs",
        f"{counts} in {runs}, as they were when this page was written. Times are UTC. Written anew by: sorn runs",
        [figure.title for figure in HEADLINE],
        [_group(key, group, runs) for key, group in overview.groups.items()],
        _matrix(overview),
        [(name, _evaluate(name, runs)) for name in overview.unevaluated()],
        [(one.name, one.wrong) for one in overview.evaluations if one.wrong],
        _pages(runs),
    )


def terminal_lines(overview: Overview) -> list[str]:
    """A line per evaluation, by dataset, and the trainings without one."""
    lines = []
    shown = view(overview)
    for group in shown.groups:
        lines.append(group.title)
        rows = [["run", "trained on", *shown.figures, "date", "differs"]]
        rows += [
            [row.report.words, row.trained_on, *(value for value, _ in row.figures), row.date, _short(row)]
            for row in group.rows
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines += [f"not evaluated: {name}. Run: {command}" for name, command in shown.unevaluated]
    lines += [f"cannot be read: {name}: {wrong}" for name, wrong in shown.unreadable]
    if shown.matrix and shown.matrix.missing:
        lines.append(f"{len(shown.matrix.missing)} pairs of network and dataset were not evaluated: see the page.")
    return lines


def _short(row: EvaluationRow) -> str:
    """The first differences, and the number of the others."""
    return ", ".join(row.first) + (f", and {len(row.others)} more" if row.others else "")


def _group(key: tuple[str, str, str], group: list[FoundEvaluation], runs: Path) -> EvaluationGroup:
    dataset, split, protocol = key
    said = differing(group)
    return EvaluationGroup(
        f"{dataset}, split {split}, protocol {protocol}",
        [_row(one, differs, runs) for one, differs in zip(group, said, strict=True)],
    )


def _row(one: FoundEvaluation, differs: list[str], runs: Path) -> EvaluationRow:
    report = one.report
    assert report is not None, "only those that can be read are shown"
    variant = report.fullest
    figures = [
        (percent(report.metrics[variant][figure.key]), bracketed(report, variant, figure.key)) for figure in HEADLINE
    ]
    link = _link(one.name, one.folder / "report.html", runs)
    return EvaluationRow(link, one.trained_on, variant, figures, differs, one.finished.strftime(DATE))


def _matrix(overview: Overview) -> Matrix | None:
    """The matrix; None for less than two networks and datasets together."""
    rows, columns = overview.rows, overview.columns
    if len(rows) * len(columns) < 2:
        return None
    cells = [(row, [_cell(overview, row, column) for column in columns]) for row in rows]
    return Matrix(columns, cells, overview.missing())


def _cell(overview: Overview, row: str, column: str) -> Link | None:
    found = overview.cells.get((row, column))
    if found is None or found.report is None:
        return None
    values = found.report.metrics[found.report.fullest]
    words = " / ".join(percent(values[figure.key]) for figure in HEADLINE)
    return _link(words, found.folder / "report.html", overview.runs)


def _evaluate(name: str, runs: Path) -> str:
    return f"sorn eval {shlex.quote(name)} --runs {shlex.quote(str(runs))}"


def _pages(runs: Path) -> list[tuple[str, Link]]:
    """Other pages below the folder: kind and link."""
    return [
        (kind, _link(path.parent.relative_to(runs).as_posix(), path, runs))
        for pattern, kind in PAGES.items()
        for path in sorted(runs.glob(pattern))
    ]


def _link(words: str, path: Path, runs: Path) -> Link:
    return Link(words, quote(path.relative_to(runs).as_posix()) if path.is_file() else "")
