"""The pages: figures as they are, nothing invented, and text that is no markup."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pipeline.runs.layout import TablesPaths
from pipeline.tools.tables.page import html_page, write_pages
from pipeline.tools.tables.results import collect
from pipeline.tools.tables.text import markdown, terminal_lines

NASTY = '<img src=x onerror="alert(1)">|`*'


class Reader(HTMLParser):
    """Elements, their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data


@pytest.fixture
def evidence(make_grid, write_reports, tmp_path):
    grid = make_grid()
    reports = {("sorn", seed): {"sorn": 0.5 + seed / 100, "global": 0.4 + seed / 100} for seed in (0, 1)}
    write_reports(grid, reports)
    return collect(grid, TablesPaths(tmp_path / "tables"))


def test_rows_orderings_and_what_is_missing(evidence):
    text = "\n".join(markdown(evidence))
    assert "| SORN | 50.5 \\[44.1, 56.9] | 100.0 \\[100.0, 100.0] | 25.2 \\[22.1, 28.4] | 2 | 57.6 | 46.3 |" in text
    assert "| SORN beats Global | +10.0 \\[+10.0, +10.0] | +3.5 | holds | +5.0 \\[+5.0, +5.0] | +2.2 | holds |" in text
    assert "| S beats P |  | +0.6 | not measured |  | +0.7 | not measured |" in text
    assert "| S | not measured | not measured | not measured | 0 | 55.8 | 42.9 |" in text
    assert "- S: not measured with seed 0, 1; plain-seed0 train: never finished" in text
    assert "- P: not measured with seed 0, 1; no joints: masks.keypoints = none" in text
    assert "made by hand, tau 0.15" in text and "seeds 0, 1" in text and "make tables DATASET=synped\\_demo" not in text
    assert "tables: 3 of 6 rows are measured with every seed (0, 1)" in terminal_lines(evidence)[0]


def test_the_page_draws_every_seed_and_the_interval(evidence):
    page = Reader(html_page(evidence))
    drawn = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert any("SORN: 50.5 [44.1, 56.9]" in (attrs["aria-label"] or "") for attrs in drawn)
    kinds = [attrs.get("class") for tag, attrs in page.tags if tag in ("line", "circle")]
    # Table I: two measured rows, two figures each; one ordering; Figure 8: one P and two thresholds, two figures each.
    assert kinds.count("seed") == 2 * (2 * 2 + 1 + 2 * (1 + 2))
    assert "range holds" in kinds and "zero" in kinds and kinds.count("mean") == 2 * (1 + 2)
    assert sum(tag == "figure" for tag, _ in page.tags) == 4


def test_without_a_result_no_number_is_shown(make_grid, tmp_path):
    evidence = collect(make_grid(), TablesPaths(tmp_path / "tables"))
    text = "\n".join(markdown(evidence))
    assert "Nothing is measured yet" in text and "| SORN | not measured | not measured | not measured | 0 |" in text
    assert not any(tag == "svg" for tag, _ in Reader(html_page(evidence)).tags)


def test_text_from_outside_is_no_markup(evidence):
    first, *middle, absent = evidence.rows[:4]
    rows = (replace(first, name=NASTY), *middle, replace(absent, missing={"0": NASTY}), *evidence.rows[4:])
    nasty = replace(
        evidence,
        dataset=replace(evidence.dataset, title=NASTY),
        common=replace(evidence.common, protocol=NASTY),
        command=NASTY,
        rows=rows,
        expected=(replace(evidence.expected[0], name=NASTY), *evidence.expected[1:]),
    )
    page = Reader(html_page(nasty))
    assert not any(tag in ("img", "script") for tag, _ in page.tags) and page.text.count(NASTY) >= 6
    table = [line for line in markdown(nasty) if line.startswith("| \\<img")]
    assert len(table) == 2 and all("\\|\\`\\*" in line for line in table)


def test_one_seed_has_no_interval(make_grid, write_reports, tmp_path):
    grid = make_grid(seeds=1)
    write_reports(grid, {("sorn", 0): {"sorn": 0.5, "global": 0.4}})
    text = "\n".join(markdown(collect(grid, TablesPaths(tmp_path / "tables"))))
    assert "| SORN | 50.0 | 100.0 | 25.0 | 1 | 57.6 | 46.3 |" in text and "| +10.0 | +3.5 | undecided |" in text


def test_three_files_hold_the_same(evidence, tmp_path):
    files = TablesPaths(tmp_path / "written")
    write_pages(files, evidence)
    assert json.loads(files.json.read_text()) == json.loads(json.dumps(evidence.to_json()))
    assert files.markdown.read_text().startswith("# The paper's tables on SynPed (demo)")
    assert files.html.read_text().startswith("<!doctype html>")
