"""Charts of similarities: bars whose outlines stand on the axis, and what the cursor says first."""

from __future__ import annotations

import pytest

from pipeline.evaluation.certainty import Histogram, RateCurve
from pipeline.reports.rate_charts import histogram, rate_curve


def test_a_histogram_has_an_outline_of_each_kind():
    chart = histogram(Histogram(-0.25, 0.25, (0, 1, 3), (5, 4, 1)), 0.1)
    assert chart.lines == {"same person": [0, 0.25, 0.75], "different": [0.5, 0.4, 0.1]}
    assert list(chart.x) == [-0.125, 0.125, 0.375] and chart.at == 1
    for style, corners in chart.areas:
        assert style in ("s1", "s2") and len(corners) == 2 * 3 + 2
        assert corners[0][1] == corners[-1][1] == chart.axes.bottom
        lefts = [x for x, _ in corners]
        assert lefts == sorted(lefts)
        assert lefts[3] == pytest.approx(lefts[2])  # no gap between two bars
    assert chart.said[1] == "similarity 0.125: same person 25.0 · different 40.0 %"


def test_rates_are_lines_without_areas():
    chart = rate_curve(RateCurve((0.0, 0.2, 0.4), (1.0, 0.1, 0.0), (0.0, 0.1, 1.0)), 0.21)
    assert chart.areas == [] and [curve.style for curve in chart.curves] == ["s1", "s2"]
    assert chart.at == 1 and list(chart.ticks) == [0.0, 0.2, 0.4]
