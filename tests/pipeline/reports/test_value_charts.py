"""Charts of plain numbers: their grid holds the values, and heights and words are right."""

from __future__ import annotations

import pytest

from pipeline.reports.value_charts import ValueChart, value_limits


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 41.4], (0, 50, 10)),
        ([1e-5, 3.5e-4], (0, 4e-4, 1e-4)),
        ([-1.5, 2.0], (-2, 2, 1)),
        ([0.0, 0.0], (0, 1, 1)),
        ([3.0, float("inf")], (0, 1, 1)),
    ],
)
def test_a_grid_of_round_numbers_holds_the_values(values: list[float], expected: tuple[float, ...]) -> None:
    assert value_limits(values) == pytest.approx(expected)


def test_heights_and_words() -> None:
    chart = ValueChart("Losses", "epoch", [0.0, 1.0, 2.0], {"total": [40.0, 20.0, 0.0], "seg": [2.0, 1.0, 0.5]}, [0, 1])
    assert [text for _, text in chart.axes.grid()] == ["0", "10", "20", "30", "40"]
    total = chart.curves[0]
    assert [y for _, y in total.points] == pytest.approx([14, (14 + 258) / 2, 258])
    assert [curve.style for curve in chart.curves] == ["s0", "s1"]
    assert chart.said[1] == "epoch 1: total 20 · seg 1"
    assert chart.summary() == "Losses, epoch 0 to 2: total from 40 to 0, seg from 2 to 0.5"
