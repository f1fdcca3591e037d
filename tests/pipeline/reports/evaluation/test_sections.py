"""Sections: one entry puts a section into report.md and report.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sample_report import REPORT

from pipeline.evaluation.report import Report
from pipeline.reports.evaluation import sections
from pipeline.reports.evaluation.page import LabelsView
from pipeline.reports.evaluation.sections import SECTIONS, Section
from pipeline.reports.html import Table

if TYPE_CHECKING:
    from conftest import Evaluated


def headings(report: Report) -> list[str]:
    return [line for line in sections.markdown(report, [], "") if line.startswith("#")]


def test_sections_stand_under_their_titles() -> None:
    shown = ["Result", "Training", "Where it comes from"]
    assert headings(REPORT) == ["# SynPed: matching occluded people with SORN", *(f"## {title}" for title in shown)]


def test_the_page_has_every_section_with_a_view(evaluated: Evaluated) -> None:
    text = evaluated.path.read_text(encoding="utf-8")
    for section in SECTIONS:
        assert (f">{section.title}</h2>" in text) == bool(section.template), section.title


def test_a_new_section_is_one_entry(monkeypatch: pytest.MonkeyPatch, evaluated: Evaluated) -> None:
    rows = Table([["a", "b"], ["c <d>", "e"]])
    new = Section(
        "Night",
        lambda contents: [contents.report.protocol],
        "labels",
        lambda _: LabelsView("At night", rows, None),
        True,
    )
    monkeypatch.setattr(sections, "SECTIONS", (*SECTIONS, new))
    assert sections.markdown(REPORT, [], "")[-3:] == ["## Night", "", REPORT.protocol]
    page = sections.html_page(evaluated.contents)
    assert '<h2 id="night">Night</h2>' in page and "c &lt;d&gt;" in page
