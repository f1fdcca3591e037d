"""Sections of report.md and report.html.

A new section is one entry of SECTIONS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.evaluation.report import Report
from pipeline.reports.evaluation import certainty_text, certainty_view, page, text
from pipeline.reports.evaluation.illustrations import Picture
from pipeline.reports.evaluation.interval_text import interval_lines
from pipeline.reports.evaluation.page import PageContents, PageSection, ReportPage
from pipeline.reports.evaluation.text import MarkdownContents
from pipeline.reports.evaluation.training_view import training_lines
from pipeline.reports.html import render


def no_lines(contents: MarkdownContents) -> list[str]:
    return []


def no_view(contents: PageContents) -> None:
    return None


@dataclass(frozen=True)
class Section:
    """One section of a report.

    markdown: its lines in report.md. headed: whether they stand under the title; the others go on with the section
    before, or have headings of their own. template, view: file in templates/report and what it shows in report.html.
    No lines, and a view that is None, leave the section out.
    """

    title: str
    markdown: Callable[[MarkdownContents], list[str]] = no_lines
    template: str = ""
    view: Callable[[PageContents], object] = no_view
    headed: bool = False


SECTIONS = (
    Section("Result", text.result_lines, "result", page.result, headed=True),
    Section("Intervals", interval_lines),
    Section("Curves", text.sweep_lines, "curves", page.curves),
    Section("How sure", certainty_text.lines, "certainty", certainty_view.certainty, headed=True),
    Section("Ranked lists", template="ranked_lists", view=page.lists),
    Section("What the network sees", text.network_lines, "network_view", page.seen),
    Section("All queries", template="query_table", view=page.queries),
    Section("Training", training_lines, "training", page.training, headed=True),
    Section("Training labels", text.label_lines, "labels", page.labels),
    Section("Pictures", text.picture_lines),
    Section("Where it comes from", text.provenance_lines, "provenance", page.provenance, headed=True),
)


def markdown(report: Report, pictures: list[Picture], folder: str) -> list[str]:
    """Lines of report.md. folder: place of the pictures, relative to it."""
    contents = MarkdownContents(report, tuple(pictures), folder)
    lines = [f"# {text.title(report)}", ""]
    if report.dataset.notice:
        lines += [f"> **Notice.** {report.dataset.notice}", ""]
    for section in SECTIONS:
        body = section.markdown(contents)
        lines += [f"## {section.title}", "", *body] if section.headed and body else body
    return lines


def html_page(contents: PageContents) -> str:
    """The whole of report.html, which repeats the figures of report.json."""
    views = [(section, section.view(contents)) for section in SECTIONS]
    sections = [PageSection(section.title, section.template, view) for section, view in views if view]
    report = contents.report
    return render("report.html.j2", ReportPage(text.title(report), report.protocol, report.dataset.notice, sections))
