"""queries.csv: its columns average to the figures of the report, and it comes back as it was written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets.records import IdNames
from pipeline.errors import UserError
from pipeline.evaluation.per_query import read_query_results, write_query_results
from sorn import metrics
from sorn.features import FeatureBank
from sorn.metrics import Evaluation, Metrics
from sorn.single_shot import SingleShotEvaluation

QUERY_PID, GALLERY_PID = np.array([1, 2, 7]), np.array([1, 2, 1, 3])
NUMBERS = IdNames()
NAMES = np.array(["query/b.jpg", 'query/a ",x.jpg', "query/c.jpg"])


def results(path: Path, trials: int = 0, names: IdNames = NUMBERS) -> Metrics:
    relevant = metrics.relevance(QUERY_PID, np.zeros(3, np.int64), GALLERY_PID, np.ones(4, np.int64))
    evaluation = SingleShotEvaluation(relevant, trials, 0) if trials else Evaluation(relevant)
    evaluation.add(slice(0, 3), np.array([[0.1, 0.9, 0.8, 0.0], [0.5, 0.4, 0.3, 0.2], [1, 2, 3, 4]], np.float32))
    empty = np.zeros((3, 0), np.float32)
    query = FeatureBank(np.ones((3, 2), np.float32), empty[:, :, None], empty, QUERY_PID, np.zeros(3, np.int64), NAMES)
    found = evaluation.metrics()
    write_query_results(path, query, relevant, {"global": found, "sorn": found}, names)
    return found


@pytest.mark.parametrize("trials", [0, 50])
def test_columns_average_to_the_figures(tmp_path: Path, trials: int) -> None:
    figures = results(tmp_path / "queries.csv", trials).figures()
    with open(tmp_path / "queries.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["variant"] == "sorn"]
    assert [row["query"] for row in rows] == NAMES.tolist() and [row["matches"] for row in rows] == ["2", "1", "0"]
    for name in ("rank-1", "rank-3", "mAP", "mINP"):
        assert np.mean([float(row[name]) for row in rows[:2]]) == pytest.approx(figures[name])
    assert {rows[2][name] for name in ("first_hit", "rank-1", "mAP", "mINP")} == {""}


def test_comes_back_by_name_without_skipped_queries(tmp_path: Path) -> None:
    found = results(tmp_path / "queries.csv")
    read = read_query_results(tmp_path / "queries.csv")
    assert list(read) == ["global", "sorn"]
    assert read["sorn"].name.tolist() == [NAMES[1], NAMES[0]] and read["sorn"].pid.tolist() == [2, 1]
    assert read["sorn"].figures["mAP"].tolist() == [found.ap[0, 1], found.ap[0, 0]]


def test_persons_and_cameras_are_named_as_the_list_names_them(tmp_path: Path) -> None:
    results(tmp_path / "queries.csv", names=IdNames({1: "zoe", 2: "0042"}, {0: "door, left"}))
    with open(tmp_path / "queries.csv", newline="") as file:
        rows = [(row["pid"], row["camid"]) for row in csv.DictReader(file)]
    assert rows[:3] == [("zoe", "door, left"), ("0042", "door, left"), ("7", "door, left")]
    read = read_query_results(tmp_path / "queries.csv")["sorn"]
    assert read.pid.tolist() == ["0042", "zoe"] and read.pid.dtype.kind == "U"


@pytest.mark.parametrize(("content", "message"), [("a,b\n1,2\n", "other columns"), (None, "is missing")])
def test_refuses_another_file(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "queries.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        read_query_results(tmp_path / "queries.csv")


def test_a_figure_that_is_no_number_is_named_as_damage(tmp_path: Path) -> None:
    results(tmp_path / "queries.csv")
    text = (tmp_path / "queries.csv").read_text()
    (tmp_path / "queries.csv").write_text(text.replace(",0.5", ",x.5"))
    with pytest.raises(UserError, match="damaged"):
        read_query_results(tmp_path / "queries.csv")
