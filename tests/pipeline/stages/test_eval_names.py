"""Persons and cameras in the files of an evaluation, as the user's list names them, and leaks."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from pathlib import Path

import pytest
from eval_runs import GALLERY, QUERY, run, write_run
from record_tables import pairs_of, table_of_pairs

from pipeline.datasets.records_file import read_records, write_records
from pipeline.evaluation.per_query import read_query_results
from pipeline.runs.layout import Paths

NAMES = {str(pid): f"person-{chr(96 + pid)}" for pid in range(1, 13)} | {"50": "nobody"}
CAMERAS = {"1": "door", "2": "yard & hall"}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A finished evaluation of people with names; query person-a is a copy of a picture in the gallery."""
    paths = Paths("synped_demo", "ground_truth", Path("data"), tmp_path_factory.mktemp("runs"))
    write_run(paths, {"query": QUERY, "gallery": GALLERY})
    labels = {"pid_labels": NAMES, "camid_labels": CAMERAS}
    paths.data_summary.write_text(json.dumps(json.loads(paths.data_summary.read_text()) | labels))
    rows = pairs_of(read_records(paths.records, "make data"))
    same = {"query/0001_c1.jpg", "gallery/0001_c2.jpg"}
    changed = ((r, dataclasses.replace(f, sha256="0") if r.name in same else f) for r, f in rows)
    write_records(paths.records, table_of_pairs(changed))
    trained = json.loads(paths.train_config.read_text()) | {"pids": [1, 2, 3]}
    paths.train_config.write_text(json.dumps(trained))
    run(paths)
    return paths


def test_queries_csv(named: Paths) -> None:
    with open(named.query_results, newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["pid"] for row in rows} == {NAMES[str(item.pid)] for item in QUERY}
    assert {row["camid"] for row in rows} == {"door"}
    assert read_query_results(named.query_results)["sorn"].pid[0] == "person-a"


def test_the_page(named: Paths) -> None:
    page = named.report_html.read_text()
    headings = re.findall(r">\s*Person ([^<,]+), camera ([^<]+)", page)
    assert headings and {person for person, _ in headings} <= set(NAMES.values())
    assert {camera.strip() for _, camera in headings} == {"door"}
    assert "yard &amp; hall" in page and re.search(r'<option value="door">\s*door', page)
    rows = json.loads(re.search(r'id="queries-data"[^>]*>(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert "person-a" in json.dumps(rows) and "nobody" in json.dumps(rows)


def test_text_and_json(named: Paths) -> None:
    text = named.report_md.read_text()
    assert re.search(r"Person person-[a-h] has \d+ matching", text) and not re.search(r"Person \d", text)
    report = json.loads(named.report_json.read_text())
    assert report["provenance"]["training"]["pids"] == ["person-a", "person-b", "person-c"]


def test_a_leak_is_in_all_files_of_the_report(named: Paths) -> None:
    wrong = "1 of 9 images of query are in gallery too"
    assert any(text.startswith(wrong) for text in json.loads(named.report_json.read_text())["dataset"]["warnings"])
    assert wrong in named.report_md.read_text() and wrong in named.report_html.read_text()
