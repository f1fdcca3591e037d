"""What a report says of its own making: the command reads back as the same options."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from pipeline.reports.evaluation.build import label_quality
from pipeline.runs.layout import Paths

PATHS = Paths("market1501", "danet", Path("data"), Path("runs"))


def test_labels_of_this_run_say_nothing_about_a_foreign_network(tmp_path: Path) -> None:
    paths = dataclasses.replace(PATHS, runs=tmp_path)
    assert label_quality(paths) is None
    paths.label_report_json.parent.mkdir(parents=True)
    paths.label_report_json.write_text('{"labeler": {"name": "danet"}, "all": {"images": 3}}')
    assert label_quality(paths) == {"labeler": {"name": "danet"}, "images": 3}
    assert label_quality(dataclasses.replace(paths, trained_on="synped-danet")) is None
    paths.label_report_json.write_text("{")
    assert label_quality(paths) is None
