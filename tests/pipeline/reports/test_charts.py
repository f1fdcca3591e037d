"""Charts: every value lies where its scale says, and names are no markup."""

from __future__ import annotations

import json
import re
from html import unescape
from itertools import pairwise

import pytest

from pipeline.reports import charts
from pipeline.reports.charts import Chart, SeedCurve, Spread, Strip, Strips
from pipeline.reports.html import environment

NASTY = "<b a='1'>\"&"


def drawn(chart: Chart | SeedCurve | Strips) -> str:
    """As its page shows it."""
    macros = environment().get_template("charts.html.j2").module
    name = {Chart: "chart", SeedCurve: "seed_curve", Strips: "strips"}[type(chart)]
    return str(getattr(macros, name)(chart))


CHART = Chart("CMC", "rank", [1, 2, 4], {"sorn": [0.5, 0.75, 1.0], "chance": [0.0, 0.25, 0.5]}, [1, 4], marked=2)


def test_a_curve_lies_where_its_values_are() -> None:
    text = drawn(CHART)
    lines = re.findall(r'<polyline class="(\S+)" points="([^"]+)"', text)
    points = {name: [tuple(map(float, p.split(","))) for p in values.split()] for name, values in lines}
    bottom, top = CHART.axes.bottom, CHART.axes.top
    assert [x for x, _ in points["s0"]] == pytest.approx([52, 52 + 310 / 3, 362], abs=0.06)
    assert [y for _, y in points["s0"]] == pytest.approx([(top + bottom) / 2, (3 * top + bottom) / 4, top], abs=0.06)
    assert points["chance"][0][1] == bottom
    assert "rank 2: sorn 75.0 · chance 25.0 %</output>" in text and "in use: 2" in text


def test_long_names_of_lines_have_room() -> None:
    name = "colour, visible stripes"
    text = drawn(Chart("CMC", "rank", [1, 2], {name: [0.5, 0.75], "colour": [0.5, 0.5]}, [1, 2]))
    assert set(re.findall(r'<polyline class="(\S+)"', text)) == {"s4", "s5"}
    start = re.search(rf'<text class="name s5" x="(\d+)"[^>]*>{name}<', text)
    assert start is not None and int(start[1]) + 7.96 * len(name) < 480  # as a phone writes it, at 15 px


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 1.0], (0, 100, 20)),
        ([0.15, 0.3], (15, 30, 5)),
        ([0.5, 0.5], (50, 50.5, 0.5)),
        ([0.846, 0.851], (84.5, 85.5, 0.5)),
    ],
)
def test_a_grid_holds_its_values(values: list[float], expected: tuple[float, float, float]) -> None:
    low, high, step = charts.limits(values)
    assert low <= 100 * min(values) and high >= 100 * max(values) and (high - low) / step <= 6
    assert (low, high, step) == expected


def test_names_of_lines_do_not_overlap() -> None:
    assert charts.apart([10, 12, 13, 100], 17, 200) == [10, 27, 44, 100]
    assert charts.apart([190, 195, 199], 17, 200) == [166, 183, 200]


def test_the_cursor_of_a_chart_is_json_in_an_attribute() -> None:
    text = drawn(Chart(NASTY, "rank", [1, 2], {NASTY: [0.5, 0.75]}, [1, 2]))
    found = re.search(r'data-chart="([^"]*)"', text)
    assert found is not None
    value = json.loads(unescape(found[1]))
    assert value["said"] == [f"rank 1: {NASTY} 50.0 %", f"rank 2: {NASTY} 75.0 %"] and value["at"] == 0
    assert "<b" not in text and unescape(text).count(NASTY) >= 4


def test_strips_are_on_one_scale() -> None:
    rows = [
        Strip(NASTY, Spread(0.2, 0.1, 0.3, (0.15, 0.25)), "20.0", "holds"),
        Strip("one seed", Spread(0.4, None, None, (0.4,)), "40.0"),
    ]
    text = drawn(Strips.on_grid("mAP", rows))
    assert re.findall(r'<line class="seed" x1="([\d.]+)"', text) == ["166.7", "500.0", "1000.0"]
    assert re.findall(r'<line class="range (\w*)" x1="([\d.]+)" x2="([\d.]+)"', text) == [("holds", "0.0", "666.7")]
    assert "<span>10 %</span><span>40 %</span>" in text and 'class="zero"' not in text
    assert "<b" not in text and unescape(text).count(NASTY) == 2


def test_differences_mark_zero() -> None:
    row = Strip("a", Spread(-0.05, -0.1, 0.0), "", "worse")
    grid, around = drawn(Strips.on_grid("", [row], differences=True)), drawn(Strips.around_zero("", [row], 0.1))
    assert 'class="zero" x1="1000.0"' in grid and "<span>-10 points</span><span>0 points</span>" in grid
    assert 'class="zero" x1="500.0"' in around and 'class="dot worse" x1="250.0"' in around
    assert "<span>-10.0</span><span>0</span><span>+10.0</span>" in around


def test_a_curve_of_means_draws_every_seed() -> None:
    points = [(1.0, Spread(0.5, 0.4, 0.6, (0.45, 0.55))), (3.0, Spread(0.7, None, None, (0.7,)))]
    chart = SeedCurve("mAP", "stripes", points)
    text = drawn(chart)
    kinds = re.findall(r'<(?:line|circle) class="(\w+)"', text)
    assert (kinds.count("seed"), kinds.count("range"), kinds.count("mean")) == (3, 1, 2)
    polyline = re.search(r'<polyline points="([^"]+)"', text)
    assert polyline is not None and polyline[1] == f"54.0,{chart.axes.down(0.5):.1f} 398.0,{chart.axes.down(0.7):.1f}"
    assert 'aria-label="mAP. stripes 1: 50.0 %, stripes 3: 70.0 %"' in text


def test_labels_of_the_x_axis_have_room() -> None:
    spread = Spread(0.5, None, None)
    chart = SeedCurve("mAP", "tau", [(value / 100, spread) for value in range(101)])
    labels = chart.axes.labels(chart.x)
    assert all(b - a >= 28 for (a, _), (b, _) in pairwise(labels)) and labels[0][1] == "0"
