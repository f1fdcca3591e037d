"""report.html: it shows the figures of report.json and report.md, needs only its lists beside it, obeys no name."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.evaluation import figures
from pipeline.evaluation.per_query import per_query
from pipeline.reports.evaluation import sections
from sorn import matching, metrics
from sorn.rules import Rule, indicators

if TYPE_CHECKING:
    from conftest import Evaluated


class Reader(HTMLParser):
    """What a browser would see: elements with their attributes, rows of tables, the text of each element kind."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text: dict[str, list[str]] = {}
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self._inside, []).append(data)
        if self._inside in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def read(evaluated: Evaluated) -> Reader:
    reader = Reader()
    reader.feed(evaluated.path.read_text(encoding="utf-8"))
    return reader


def test_page_markdown_and_json_hold_the_same_figures(evaluated: Evaluated, read: Reader) -> None:
    report, written = evaluated.report, sections.markdown(evaluated.report, [], "pictures")
    rows = {tuple(row) for row in read.rows}
    lines = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in written if line.startswith("|")}
    keys = [figure.key for figure in figures.shown(single_shot=False)]
    wanted = [
        *((name, *(f"{100 * found[key]:.1f}" for key in keys)) for name, found in report.metrics.items()),
        ("chance", *(f"{100 * report.chance[key]:.2f}" for key in keys)),
        *((f"{p.tau:g}", f"{100 * p['rank-1']:.1f}", f"{100 * p['mAP']:.1f}") for p in report.tau_sweep),
        ("predicted", "12.5", "50.0"),
        ("SORN (Table II)", "57.6", "46.3"),
        ("mIoU, against the ground truth of 9 images", "37.5 %"),
        ("images", "1,200: 1,190 ok, 10 empty"),
    ]
    assert len(wanted) == 3 + 1 + 3 + 4
    assert set(wanted) <= rows and set(wanted) <= lines


def test_needs_nothing_from_anywhere(evaluated: Evaluated, read: Reader) -> None:
    links = [(tag, attrs[key]) for tag, attrs in read.elements for key in ("src", "href") if key in attrs]
    assert {tag for tag, _ in links} == {"img", "a"}
    assert all(value.startswith("data:image/jpeg;base64,") for tag, value in links if tag == "img")
    assert all(value.startswith("#") or value == "queries.csv" for tag, value in links if tag == "a")
    assert not re.search(r"https?://|@import|url\((?!\$\{folder\})", evaluated.path.read_text(encoding="utf-8"))


def test_obeys_no_name(evaluated: Evaluated, read: Reader) -> None:
    scripts = [attrs for tag, attrs in read.elements if tag == "script"]
    assert scripts == [*({"type": "application/json", "id": f"{name}-data"} for name in ("queries", "lists")), {}]
    assert not any(key.startswith("on") for _, attrs in read.elements for key in attrs)
    assert {tag for tag, _ in read.elements}.isdisjoint({"iframe", "object", "base", "link"})
    cards = [attrs["data-words"] for tag, attrs in read.elements if tag == "article"]
    assert len(cards) == len(evaluated.shown)
    for query in evaluated.shown:
        assert f"{query.name} {query.pid}".lower() in cards
    assert "<i>danet" in "".join(read.text["td"]) + "".join(read.text["code"])


def test_every_query_is_in_the_table_of_all(evaluated: Evaluated, read: Reader) -> None:
    rows = json.loads(next(data for data in read.text["script"] if data.startswith("[[")))
    found = evaluated.scores
    assert [row[0] for row in rows] == found.query.name.tolist() and [
        row[1] for row in rows
    ] == found.query.pid.tolist()
    sorn, every = (per_query(found.metrics[variant])["mAP"] for variant in ("sorn", "global+local"))
    for column, values in ((4, found.metrics["sorn"].first_hit[0]), (5, 100 * sorn), (8, 100 * (sorn - every))):
        assert [row[column] for row in rows] == pytest.approx(values, abs=0.006)
    assert "sorn − global+local" in read.text["button"]


def test_lists_hold_what_was_measured(evaluated: Evaluated) -> None:
    found = evaluated.scores
    numbers = {str(name): number for number, name in enumerate(found.query.name)}
    assert {kind for query in evaluated.shown for kind in query.kinds} == {"random", "worst", "best"}
    assert max(q.ap for q in evaluated.shown if "worst" in q.kinds) < min(
        q.ap for q in evaluated.shown if "best" in q.kinds
    )
    for query in evaluated.shown:
        number = numbers[query.name]
        for row in query.lists:
            rule = Rule(row.variant, evaluated.report.provenance.config.tau)
            asked = found.query.take(slice(number, number + 1))
            ((_, (similarity,)),) = matching.similarity_blocks(asked, found.gallery, [rule])
            order = metrics.ranking(similarity[0], found.relevant, number, len(found.gallery))
            assert [answer.rank for answer in row.answers][:5] == [1, 2, 3, 4, 5]
            assert row.first_hit == found.metrics[row.variant].first_hit[0, number]
            assert row.first_hit <= 5 or (row.answers[-1].rank == row.first_hit and row.answers[-1].right)
            for answer in row.answers:
                assert answer.name == found.gallery.name[order[answer.rank - 1]]
                assert answer.right == (answer.pid == query.pid)


def test_what_counts_adds_up_to_the_similarity(evaluated: Evaluated) -> None:
    """Eq. 15 by hand, from the numbers beneath each pair."""
    for query in evaluated.shown:
        assert [row.variant for row in query.lists] == ["sorn", "global+local"]
        for row in query.lists:
            for answer in row.answers:
                expected = query.visible & answer.visible if row.variant == "sorn" else np.ones(3, bool)
                assert (answer.counted == expected).all()
                total = answer.whole + answer.stripes[answer.counted].sum()
                assert answer.similarity == pytest.approx(total / (1 + answer.counted.sum()), abs=1e-5)
    visible = indicators(evaluated.scores.query.visibility, 0.4) > 0
    numbers = {str(name): number for number, name in enumerate(evaluated.scores.query.name)}
    assert all((query.visible == visible[numbers[query.name]]).all() for query in evaluated.shown)


def test_frames_differ_by_more_than_colour(evaluated: Evaluated) -> None:
    text = evaluated.path.read_text(encoding="utf-8")
    tags = re.findall(r'<li class="tile (right|wrong)".*?<div class="tag">\d+ (.)', text, re.DOTALL)
    assert set(tags) == {("right", "✓"), ("wrong", "✗")}
    assert re.search(r"\.tile\.wrong img \{[^}]*dashed", text)


def test_every_picture_is_described(read: Reader) -> None:
    pictures = [attrs for tag, attrs in read.elements if tag == "img"]
    assert len(pictures) > 50 and all(attrs.get("alt") for attrs in pictures)
    assert all(attrs.get("aria-label") for tag, attrs in read.elements if attrs.get("role") == "img")
