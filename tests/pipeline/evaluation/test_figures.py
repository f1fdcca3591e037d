"""The list of figures: a new metric is one entry, and every table, file and comparison shows it."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sample_report import REPORT, VARIANT

from pipeline.datasets.records import IdNames
from pipeline.evaluation import figures, per_query
from pipeline.evaluation.figures import FIGURES, Figure, percent
from pipeline.evaluation.report import VariantFigures
from pipeline.reports.evaluation import sections, text
from sorn import metrics
from sorn.features import FeatureBank
from sorn.metrics import Metrics

FIRST_HIT = np.array([[1, 4, 0]])
FOUND = Metrics(FIRST_HIT, np.array([[1.0, 0.25, np.nan]]), np.array([[0.5, 0.25, np.nan]]))


def test_every_figure_by_hand() -> None:
    expected = {"rank-1": 0.5, "rank-3": 0.5, "rank-5": 1.0, "rank-10": 1.0, "mAP": 0.625, "mINP": 0.375}
    assert figures.measured(FOUND) == expected
    assert tuple(expected) == figures.KEYS
    assert np.array_equal(FIGURES[0].per_query(FOUND), [1, 0, np.nan], equal_nan=True)


def test_protocols_show_what_papers_print_for_them() -> None:
    assert [figure.key for figure in figures.shown(False)] == ["rank-1", "rank-5", "rank-10", "mAP", "mINP"]
    assert [figure.key for figure in figures.shown(True)] == ["rank-1", "rank-3", "rank-5", "rank-10", "mAP"]


def test_percent_shows_the_deviation_if_there_is_one() -> None:
    assert (percent(0.5), percent(0.5, 0.012), percent(None)) == ("50.0", "50.0 ± 1.2", "")


def test_a_new_metric_is_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new = Figure("rank-2", "rank-2", figures.rank(2))
    for module in (figures, per_query):
        monkeypatch.setattr(module, "FIGURES", (*FIGURES, new))
    for module in (figures, per_query):
        monkeypatch.setattr(module, "KEYS", (*figures.KEYS[: len(FIGURES)], "rank-2"))
    monkeypatch.setattr(per_query, "COLUMNS", (*per_query.COLUMNS, "rank-2"))
    assert VariantFigures.of(FOUND)["rank-2"] == 0.5
    shown = dataclasses.replace(REPORT, metrics={"global": VariantFigures({**VARIANT.figures, "rank-2": 0.875}, 80, 2)})
    assert "rank-2" in text.terminal_lines(shown)[0] and "87.5" in text.terminal_lines(shown)[1]
    assert "| rank-2 |" in "\n".join(sections.markdown(shown, [], ""))
    pid, camid = np.array([1, 2, 3]), np.zeros(3, np.int64)
    relevant = metrics.relevance(pid, camid, pid[:2], camid[:2] + 1)
    empty = np.zeros((3, 0), np.float32)
    query = FeatureBank(empty, empty[:, :, None], empty, pid, camid, np.array(["a", "b", "c"]))
    per_query.write_query_results(tmp_path / "queries.csv", query, relevant, {"sorn": FOUND}, IdNames())
    with open(tmp_path / "queries.csv", newline="") as file:
        assert [row["rank-2"] for row in csv.DictReader(file)] == ["1.0", "0.0", ""]
