"""Class tables against ids: people drawn with the ids of one tool, read with the tables of others."""

from __future__ import annotations

import re

import numpy as np
import pytest
from label_map_files import drawn

from pipeline.datasets.class_tables import load_table
from pipeline.datasets.shipped_tables import TABLES
from pipeline.datasets.table_fit import IdStatistics, better, fit_shipped, fit_table, shipped_labels


def statistics(table: str, people: int = 5) -> IdStatistics:
    found = IdStatistics()
    for seed in range(people):
        found.add(drawn(table, seed))
    return found


def test_ids_are_counted_with_their_height() -> None:
    found = IdStatistics()
    found.add(np.array([[0, 0], [3, 0], [3, 3], [0, 0]]))
    found.add(np.array([[3, 3]]))
    assert found.pixels == {0: 5, 3: 5}
    assert found.maps[0][3].row == pytest.approx((1.5 + 2.5 + 2.5) / 3 / 4)


@pytest.mark.parametrize("table", TABLES)
def test_the_table_of_the_tool_fits_best(table: str) -> None:
    """Tables with the same classes for the ids that occur are as good."""
    best = fit_shipped(statistics(table))[0]
    assert not best.contradiction and best.wrong == 0
    same = [load_table(name, "lower_arm") for name in (best.name, table)]
    assert all(same[0][value] == same[1][value] for value in statistics(table).pixels)


@pytest.mark.parametrize(
    ("given", "tool", "reason"),
    [
        ("sapiens28", "sapiens29", "id 23, there lower lip, covers .* of the person"),
        ("sapiens29", "sapiens28", "id 8, there left lower leg, lies below id 5, there left foot, in 5 of 5 maps"),
        ("lip20", "atr18", "id 4, there sunglasses, covers"),
        ("atr18", "fashn18", "id 3, there sunglasses, covers"),
        ("fashn18", "sapiens28", "it has no id 19, 22"),
    ],
)
def test_the_table_of_another_tool_is_contradicted(given: str, tool: str, reason: str) -> None:
    found = statistics(tool)
    assert re.match(reason, fit_table(given, shipped_labels(given), found).contradiction)
    name, said = better(given, load_table(given, "lower_arm"), found)
    assert name == tool and re.match(reason, said)
    assert better(tool, load_table(tool, "lower_arm"), found) == ("", "")


def test_an_eyeglass_is_no_face() -> None:
    found = IdStatistics()
    found.add(np.repeat([0, 2, 3, 22, 12, 0], 10)[:, None])
    assert fit_table("sapiens29", shipped_labels("sapiens29"), found).oversized == (
        "id 2, there eyeglass, covers 25% of the person"
    )
    assert not fit_table("sapiens28", shipped_labels("sapiens28"), found).oversized


def test_sapiens_without_glasses_and_faces_is_told_from_sapiens2_by_the_order() -> None:
    """From the neck down no id is too large, and both tables have every id."""
    found = IdStatistics()
    for seed in range(5):
        ids = drawn("sapiens28", seed)
        found.add(np.where(np.isin(ids, [2, 3]), 0, ids))
    name, said = better("sapiens29", load_table("sapiens29", "lower_arm"), found)
    assert name == "sapiens28" and re.search(r"id \d+, there .* lies below id \d+, there .*, in 5 of 5 maps", said)


def test_a_table_of_the_user_is_judged_by_its_classes() -> None:
    lookup = load_table("lip20", "lower_arm")
    assert better("mine.csv", lookup, statistics("lip20")) == ("", "")
    assert better("mine.csv", lookup[::-1].copy(), statistics("lip20"))[0] == "lip20"


def test_nothing_is_said_where_no_table_fits() -> None:
    """Noise, no people at all, and outlines, which are all head."""
    noise, nobody, outlines = IdStatistics(), IdStatistics(), IdStatistics()
    for seed in range(5):
        noise.add(np.random.default_rng(seed).integers(0, 20, (64, 32)))
        nobody.add(np.zeros((64, 32), int))
        outlines.add(drawn("sorn8", seed) > 0)
    assert better("sorn8", load_table("sorn8", "lower_arm"), outlines) == ("", "")
    assert better("lip20", load_table("lip20", "lower_arm"), nobody) == ("", "")
    assert better("lip20", load_table("lip20", "lower_arm"), noise) == ("", "")
