"""Cut queries through the eval stage: every figure takes the more similar of their two views."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from eval_runs import GALLERY, QUERY, evaluated, run, write_run

from pipeline.evaluation.calibration import read_calibration
from pipeline.features import placing, store
from pipeline.reports.evaluation.list_files import script_value
from pipeline.runs.config import EvalConfig
from pipeline.runs.layout import Paths
from sorn.batch import Batch
from sorn.matching import similarity_blocks
from sorn.metrics import Evaluation, relevance
from sorn.rules import Rule

CUT = [0, 3, 4, 7]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A run whose images of these numbers are taken for cut: their place is a few rows below."""
    made = Paths("synped_demo", "ground_truth", Path("data"), tmp_path / "runs")
    write_run(made, {"query": QUERY, "gallery": GALLERY})

    def move(inference: object, batch: Batch, *_: object) -> Batch:
        cut = torch.tensor([int(number) in CUT for number in batch.index])
        moved = torch.roll(batch.image, 7, dims=1)
        return dataclasses.replace(batch, image=torch.where(cut[:, None, None, None], moved, batch.image))

    monkeypatch.setattr(placing, "in_place", move)
    return made


def test_cut_queries_are_compared_in_both_views(paths: Paths) -> None:
    report = run(paths, evaluated(place="either"))
    assert "cut queries compared as they are and at their place, and the larger similarity" in report["protocol"]
    assert report["provenance"]["features"]["place"] == report["provenance"]["config"]["place"] == "either"
    assert read_calibration(paths.calibration).place == "either"
    banks = store.read_banks(paths.features)
    query, gallery, second = banks.query, banks.gallery, banks.query.second
    assert second is not None and second.of.tolist() == CUT
    rule = Rule("sorn", EvalConfig.tau)
    ((_, (one,)),) = similarity_blocks(dataclasses.replace(query, second=None), gallery, [rule])
    ((_, (other,)),) = similarity_blocks(second.bank, gallery, [rule])
    larger = one.copy()
    for line, number in enumerate(CUT):
        for image in range(len(gallery)):
            larger[number, image] = max(one[number, image], other[line, image])
    found = Evaluation(relevance(query.pid, query.camid, gallery.pid, gallery.camid))
    found.add(slice(0, len(query)), larger)
    expected = found.metrics()
    assert report["metrics"]["sorn"]["mAP"] == pytest.approx(expected.mean_ap)
    with open(paths.query_results, encoding="utf-8", newline="") as file:
        rows = {row["query"]: row for row in csv.DictReader(file) if row["variant"] == "sorn"}
    for number, name in enumerate(query.name.tolist()):
        if rows[name]["first_hit"]:
            assert int(rows[name]["first_hit"]) == expected.first_hit[0, number]


def test_lists_show_the_view_that_won(paths: Paths) -> None:
    run(paths, evaluated(place="either", ranked_queries=4))
    banks, folder = store.read_banks(paths.features), paths.lists
    gallery, answers = script_value(folder / "gallery.js"), script_value(folder / "answers-00000.js")
    assert banks.query.second is not None
    place = {name: number for number, name in enumerate(banks.gallery.name.tolist())}
    rules = [Rule(variant, EvalConfig.tau) for variant in gallery["variants"]]
    ((_, one),) = similarity_blocks(dataclasses.replace(banks.query, second=None), banks.gallery, rules)
    ((_, other),) = similarity_blocks(banks.query.second.bank, banks.gallery, rules)
    marked = 0
    for number, query in enumerate(answers):
        assert ("second" in query) == (number in CUT)
        for variant, (_, rows) in enumerate(query["lists"]):
            for row in rows:
                image, second = place[gallery["name"][row[0]]], row[7:] == [1]
                expected = number in CUT and other[variant][CUT.index(number), image] > one[variant][number, image]
                assert second == expected and len(row) == 7 + second
                marked += second
    assert marked
    page = paths.report_html.read_text()
    assert "query at its place" in page


def test_without_the_option_the_figures_are_those_of_pictures_as_they_are(paths: Paths) -> None:
    report = run(paths)
    banks = store.read_banks(paths.features)
    assert banks.query.second is None and "place" not in report["protocol"]
    ((_, (found,)),) = similarity_blocks(banks.query, banks.gallery, [Rule("sorn", EvalConfig.tau)])
    assert np.isfinite(found).all()
    assert "query at its place" not in paths.report_html.read_text().partition("<script>")[0]
