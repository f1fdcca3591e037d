"""Lists of every query: they hold what was measured, each picture once, and draw the right ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline.reports.evaluation.list_files import RankedQueries, script_value, write_lists
from pipeline.reports.sheets import SHEET
from sorn import matching, metrics
from sorn.rules import Rule

if TYPE_CHECKING:
    from conftest import Evaluated

LENGTH, TAU = 5, 0.4


def pieces(folder: Path) -> list[dict[str, Any]]:
    return [query for path in sorted(folder.glob("answers-*.js")) for query in script_value(path)]


def test_every_query_has_its_lists(evaluated: Evaluated) -> None:
    found, folder = evaluated.scores, evaluated.path.parent / "lists"
    gallery, queries = script_value(folder / "gallery.js"), pieces(folder)
    assert [query["name"] for query in queries] == found.query.name.tolist()
    assert gallery["variants"] == ["sorn", "global+local"]
    assert len(gallery["name"]) == len(set(gallery["name"])) <= len(found.gallery)
    rules = [Rule("sorn", TAU), Rule("global+local", TAU)]
    late = 0
    for part, similarities in matching.similarity_blocks(found.query, found.gallery, rules):
        for rule, similarity, place in zip(rules, similarities, (0, 1), strict=True):
            for number, row in zip(range(part.start, part.stop), similarity, strict=True):
                first, answers = queries[number]["lists"][place]
                order = metrics.ranking(row, found.relevant, number, len(row))
                ranks = [answer[1] for answer in answers]
                assert first == found.metrics[rule.variant].first_hit[0, number]
                assert ranks == [*range(1, LENGTH + 1), *([first] if first > LENGTH else [])]
                late += first > LENGTH
                names = [gallery["name"][answer[0]] for answer in answers]
                assert names == found.gallery.name[order[np.array(ranks) - 1]].tolist()
                right = found.gallery.pid[order[np.array(ranks) - 1]] == found.query.pid[number]
                assert [answer[2] for answer in answers] == right.tolist()
                assert [answer[3] for answer in answers] == pytest.approx(row[order[np.array(ranks) - 1]], abs=6e-4)
    assert late


def test_what_counts_adds_up_to_the_similarity(evaluated: Evaluated) -> None:
    folder = evaluated.path.parent / "lists"
    gallery = script_value(folder / "gallery.js")
    for query in pieces(folder)[:50]:
        for (_, answers), every in zip(query["lists"], (False, True), strict=True):
            for place, _, _, similarity, whole, stripes, parts in answers:
                seen = zip(query["visible"], gallery["visible"][place], strict=True)
                counted = [every or pair == ("1", "1") for pair in seen]
                total = whole + sum(value for value, counts in zip(stripes, counted, strict=True) if counts)
                assert similarity == pytest.approx(total / (1 + sum(counted)), abs=2e-3) and parts == []


def test_sheets_hold_the_pictures_of_the_lists(evaluated: Evaluated) -> None:
    folder, found = evaluated.path.parent / "lists", evaluated.scores
    names = {"gallery": script_value(folder / "gallery.js")["name"], "query": found.query.name.tolist()}
    for side, own in names.items():
        assert len(list(folder.glob(f"{side}-*.jpg"))) == -(-len(own) // SHEET)
        for number in (0, len(own) - 1):
            with Image.open(folder / f"{side}-{number // SHEET:05d}.jpg") as sheet:
                row, column = divmod(number % SHEET, 8)
                drawn = np.asarray(sheet, np.float64)[row * 48 : row * 48 + 48, column * 16 : column * 16 + 16]
            wanted = evaluated.sample_of(own[number]).image.astype(np.float64)
            assert (
                np.corrcoef(drawn.mean(axis=2).ravel(), wanted.mean(axis=2).ravel())[0, 1] > 0.6
            )  # of another picture about 0


def test_threads_change_no_file_and_no_lists_leave_none(evaluated: Evaluated, tmp_path: Path) -> None:
    queries = RankedQueries(evaluated.scores, evaluated.sample_of, TAU)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "gallery-00099.jpg").touch()
    write_lists(tmp_path / "lists", queries, 2)
    files = {path.name: path.read_bytes() for path in (tmp_path / "lists").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (evaluated.path.parent / "lists").iterdir()}
    without = RankedQueries(dataclasses.replace(evaluated.scores, answers={}), evaluated.sample_of, TAU)
    assert write_lists(tmp_path / "lists", without, 1) is None and not (tmp_path / "lists").exists()
