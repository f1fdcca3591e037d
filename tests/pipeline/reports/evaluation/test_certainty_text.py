"""Sentences on how sure a similarity is."""

from __future__ import annotations

import pytest

from pipeline.evaluation.certainty import MAIN, MeasuredRate, ThresholdFigures
from pipeline.reports.evaluation.certainty_text import _verdict


@pytest.mark.parametrize(
    ("value", "low", "high", "told"),
    [
        (0.05, 0.03, 0.07, ", 5 times as high: more wrong pairs than asked for; choose a threshold on these cameras."),
        (0.0006, 0.0001, 0.002, ", 0.06 times as high: fewer wrong pairs than asked for, and more misses; choose"),
        (0.011, 0.005, 0.02, "]."),
        (None, None, None, "–."),
    ],
)
def test_a_threshold_of_other_cameras_is_told_to_fit_or_how_it_does_not(value, low, high, told) -> None:
    row = ThresholdFigures(MAIN, "tiny, val", 0.7, MeasuredRate(value, low, high), MeasuredRate(0.2, 0.1, 0.3))
    said = _verdict(row)
    assert told in said and ("cameras" in said) == ("times" in said)
