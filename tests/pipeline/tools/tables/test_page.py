"""tables.html: every seed and interval is drawn, and names are no markup."""

import json
from html.parser import HTMLParser

from pipeline.runs.result_paths import TablesPaths
from pipeline.tools.tables.page import html_page, write_pages
from pipeline.tools.tables.results import collect

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


def test_the_page_draws_every_seed_and_the_interval(evidence):
    page = Reader(html_page(evidence))
    drawn = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert any("SORN: 50.5 [44.1, 56.9]" in (attrs["aria-label"] or "") for attrs in drawn)
    kinds = [attrs.get("class") for tag, attrs in page.tags if tag in ("line", "circle")]
    # Table I: two measured rows, two figures each; one ordering; Figure 8: one P and two thresholds, two figures each.
    assert kinds.count("seed") == 2 * (2 * 2 + 1 + 2 * (1 + 2))
    assert "range holds" in kinds and "zero" in kinds and kinds.count("mean") == 2 * (1 + 2)
    assert sum(tag == "figure" for tag, _ in page.tags) == 4


def test_without_a_result_nothing_is_drawn(make_grid, tmp_path):
    evidence = collect(make_grid(), TablesPaths(tmp_path / "tables"))
    assert not any(tag == "svg" for tag, _ in Reader(html_page(evidence)).tags)


def test_what_else_there_is_is_told_and_an_empty_section_left_out(make_grid, tmp_path):
    evidence = collect(make_grid(), TablesPaths(tmp_path / "tables"), asked=())
    page = Reader(html_page(evidence)).text
    assert f"(sorn, plain, ext, pose). All of them: {evidence.whole}" in page
    assert "Which orderings hold" not in page and "never finished" not in page


def test_text_from_outside_is_no_markup(evidence, hostile):
    nasty = hostile(NASTY)
    page = Reader(html_page(nasty))
    assert not any(tag in ("img", "script") for tag, _ in page.tags) and page.text.count(NASTY) >= 6


def test_three_files_hold_the_same(evidence, tmp_path):
    files = TablesPaths(tmp_path / "written")
    write_pages(files, evidence)
    assert json.loads(files.json.read_text()) == json.loads(json.dumps(evidence.to_json()))
    assert files.markdown.read_text().startswith("# The paper's tables on SynPed (demo)")
    assert files.html.read_text().startswith("<!doctype html>")
