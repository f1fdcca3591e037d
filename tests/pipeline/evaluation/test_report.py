"""report.json and labels.json: a full report comes back as it was written; damage is named by its field."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_report import FIGURES, REPORT, label_report, with_provenance

from pipeline.evaluation.label_report import LabelReport
from pipeline.evaluation.report import Report, VariantFigures, read_report
from pipeline.io.files import write_json
from pipeline.runs.config import EvalConfig
from pipeline.runs.made_by import MadeBy
from sorn.metrics import Metrics

DRAWN = VariantFigures(FIGURES | {f"{name}-sd": 0.01 for name in FIGURES}, 9, 0)
FULL = dataclasses.replace(
    with_provenance(
        REPORT,
        pose=MadeBy("joints", {"version": 1, "options": {"pattern": "{split}.csv"}, "weights": None}),
        segmenter={"trained_on": "synped-danet", "checkpoint_sha256": "fed"},
        config=EvalConfig(visibility="segmenter", segmenter="runs/a/train", tau_sweep=(0.0, 0.5)),
    ),
    metrics={"sorn": DRAWN},
    single_shot=True,
)


@pytest.mark.parametrize("report", [REPORT, FULL, dataclasses.replace(REPORT, labels=None, parts=None, stripes=None)])
def test_a_report_comes_back_as_it_was_written(tmp_path: Path, report: Report) -> None:
    write_json(tmp_path / "report.json", report.to_json())
    again = read_report(tmp_path / "report.json")
    assert again == report
    assert json.dumps(again.to_json()) == json.dumps(report.to_json())


def test_a_label_report_comes_back_as_it_was_written() -> None:
    report = label_report()
    value = json.loads(json.dumps(report.to_json()))
    assert LabelReport.from_json(value) == report and value["all"]["exact"]["mIoU"] == 0.375


def test_figures_stand_beside_the_number_of_queries() -> None:
    value: Any = FULL.to_json()
    assert value["metrics"]["sorn"]["rank-1-sd"] == 0.01 and list(value["metrics"]["sorn"])[-2:] == [
        "queries",
        "skipped_queries",
    ]
    assert value["stripes"]["query"]["images"] == 9 and value["stripes"]["query"]["tau"] == 0.2
    assert value["labels"]["labeler"] == {"name": "danet", "version": 1} and value["labels"]["images"] == 1200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.pop("provenance"), "^provenance is missing"),
        (
            lambda value: value["dataset"].update(query_images="many"),
            r"^dataset\.query_images: expected a whole number",
        ),
        (lambda value: value["provenance"]["config"].update(tau=7), r"^provenance\.config: eval\.tau = 7"),
        (lambda value: value["metrics"]["global"].pop("queries"), r"^metrics\.global\.queries is missing"),
        (lambda value: value.update(schema_version=1), "it is of schema version 1"),
        (lambda value: value.clear(), "protocol is missing"),
    ],
)
def test_damage_is_named_by_its_field(change: Any, message: str) -> None:
    value = json.loads(json.dumps(REPORT.to_json()))
    change(value)
    with pytest.raises(ValueError, match=message):
        Report.from_json(value)


def test_figures_of_metrics_are_those_of_the_engine() -> None:
    """Both definitions of a figure agree to the last bit; with several draws there are deviations."""
    rng = np.random.default_rng(0)
    first_hit = rng.integers(1, 15, (4, 30))
    first_hit[:, 3] = 0
    ap, inp = (np.where(first_hit == 0, np.nan, rng.random((4, 30))) for _ in range(2))
    for found in (Metrics(first_hit, ap, inp), Metrics(first_hit[:1], ap[:1], inp[:1])):
        measured = VariantFigures.of(found)
        assert {**measured.figures, "queries": 29, "skipped_queries": 1} == found.figures()
        assert (measured.deviation("mAP") is None) == (found.trials == 1)
