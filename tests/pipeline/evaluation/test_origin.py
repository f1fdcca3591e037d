"""What an evaluation says of the labels that its network was trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sample_report import label_report

from pipeline.evaluation.origin import training_labels
from pipeline.evaluation.report import TrainingLabels
from pipeline.io.files import write_json
from pipeline.runs.layout import Paths


def test_labels_of_this_run_say_nothing_about_a_foreign_network(tmp_path: Path) -> None:
    paths = Paths("market1501", "danet", Path("data"), tmp_path)
    assert training_labels(paths) is None
    report = label_report()
    write_json(paths.label_report_json, report.to_json())
    assert training_labels(paths) == TrainingLabels(report.labeler, report.total)
    assert training_labels(dataclasses.replace(paths, trained_on="synped-danet")) is None
    write_json(paths.label_report_json, {"labeler": {"name": "danet"}})
    assert training_labels(paths) is None, "of another program"
    paths.label_report_json.write_text("{")
    assert training_labels(paths) is None
