"""What an evaluation says of the labels that its network was trained on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pipeline.evaluation.origin import training_labels
from pipeline.runs.layout import Paths


def test_labels_of_this_run_say_nothing_about_a_foreign_network(tmp_path: Path) -> None:
    paths = Paths("market1501", "danet", Path("data"), tmp_path)
    assert training_labels(paths) is None
    paths.label_report_json.parent.mkdir(parents=True)
    paths.label_report_json.write_text(json.dumps({"labeler": {"name": "danet"}}))
    assert training_labels(paths) is None  # of another program
    assert training_labels(dataclasses.replace(paths, trained_on="synped-danet")) is None
