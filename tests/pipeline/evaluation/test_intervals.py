"""Intervals over persons: those of the bootstrap of single figures, in the report and read back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sample_report import REPORT

from pipeline.evaluation.intervals import BootstrapInterval, FigureIntervals, PersonInterval, person_intervals
from pipeline.evaluation.report import Report
from sorn.bootstrap import paired_difference
from sorn.metrics import SKIPPED, Metrics


def metrics(first_hit: list[int], ap: list[float]) -> Metrics:
    return Metrics(np.array([first_hit]), np.array([ap]), np.array([ap]))


FOUND = {
    "global": metrics([1, 3, SKIPPED, 1, 2, 1], [1.0, 0.25, np.nan, 0.75, 0.5, 1.0]),
    "sorn": metrics([1, 1, SKIPPED, 1, 1, 1], [1.0, 0.5, np.nan, 0.75, 0.5, 1.0]),
}
PID = np.array([7, 7, 8, 9, 9, 4])


def test_each_figure_has_the_interval_of_its_own_bootstrap() -> None:
    found = person_intervals(FOUND, PID)
    assert found is not None and found.persons == 3
    used, none = PID != 8, np.zeros(5)
    for variant, one in FOUND.items():
        for figure, values in (("rank-1", (one.first_hit[0] == 1).astype(float)), ("mAP", one.ap[0])):
            alone = paired_difference(none, values[used], PID[used])
            ends = found.figures[variant][figure]
            assert (ends.low, ends.high) == pytest.approx((alone.low, alone.high), abs=1e-12)
            assert ends.low <= values[used].mean() <= ends.high
    assert found.figures["sorn"]["rank-1"] == PersonInterval(1.0, 1.0)
    assert found.figures["global"]["rank-1"].low < found.figures["global"]["rank-1"].high


def test_one_person_has_no_interval() -> None:
    assert person_intervals(FOUND, np.array([7, 7, 8, 7, 7, 7])) is None


def test_a_report_keeps_them_and_an_older_one_has_none() -> None:
    intervals = FigureIntervals(BootstrapInterval(), 3, {"global": {"mAP": PersonInterval(0.25, 0.5)}})
    report = dataclasses.replace(REPORT, intervals=intervals)
    assert Report.from_json(report.to_json()) == report
    older = {key: value for key, value in report.to_json().items() if key != "intervals"}
    assert Report.from_json(older).intervals is None
