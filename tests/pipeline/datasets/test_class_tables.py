"""Class tables against the published ones, written out here by number."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline.datasets.class_tables import load_table
from pipeline.datasets.shipped_tables import LAYERS, TABLES
from pipeline.errors import UserError

FINE = [0, 2, 2, 4, 4, 7, 7, 5, 5, 5, 5, 6, 6, 6, 6, 3, 3, 3, 3, 4, 4, 4, 4, 1, 1]
COARSE = [0, 2, 4, 4, 7, 7, 5, 5, 6, 6, 3, 3, 4, 4, 1]
PASCAL = [0, 1, 2, 3, 4, 5, 6]
LIP = [0, 1, 1, 4, 1, 2, 2, 2, 6, 5, 2, 2, 5, 1, 4, 4, 6, 6, 7, 7]
ATR = [0, 1, 1, 1, 2, 5, 5, 2, 2, 7, 7, 1, 6, 6, 4, 4, 0, 2]
EIGHT = list(range(8))
CIHP = LIP
FASHN = [0, 1, 1, 2, 2, 5, 5, 2, 0, 1, 2, 1, 4, 4, 6, 7, 2, 2]
SAPIENS = [0, 2, 1, 1, 7, 4, 4, 6, 7, 6, 3, 5, 5, 7, 4, 4, 6, 7, 6, 3, 5, 2, 2, 1, 1, 1, 1, 1]
SAPIENS2 = [0, 2, 1, 1, 1, 7, 4, 4, 6, 7, 6, 3, 5, 5, 7, 4, 4, 6, 7, 6, 3, 5, 2, 2, 1, 1, 1, 1, 1]
MHP = [0, 1, 1, 1, 1, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2, 5, 5, 5, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 7, 7, 2, 2, 2, 2]
MHP += [2, 1, 0, 0, 0, 2, 0, 0, 0, 1, 1, 4, 2, 0, 0, 4, 4, 2, 0, 2, 5]
PIFPAF = [1, 1, 1, 1, 1, 3, 3, 3, 3, 4, 4, 2, 2, 5, 5, 7, 7, 6, 5, 6, 5, 2, 2, 2, 2, 3, 3, 4, 4, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("densepose24", FINE),
        ("densepose15", COARSE),
        ("pascal_person_part7", PASCAL),
        ("lip20", LIP),
        ("atr18", ATR),
        ("sorn8", EIGHT),
        ("cihp20", CIHP),
        ("mhp59", MHP),
        ("fashn18", FASHN),
        ("sapiens28", SAPIENS),
        ("sapiens29", SAPIENS2),
        ("pifpaf36", PIFPAF),
    ],
)
def test_shipped_tables(name: str, expected: list[int]) -> None:
    assert load_table(name, "lower_arm").tolist() == expected


def test_hands_can_be_background() -> None:
    assert [value for value, (_, ours) in enumerate(TABLES["densepose24"]) if ours == "hand"] == [3, 4]
    changed = load_table("densepose24", "background") != load_table("densepose24", "lower_arm")
    assert changed.nonzero()[0].tolist() == [3, 4]
    assert (load_table("densepose15", "background") == 0).nonzero()[0].tolist() == [0, 2, 3]


def test_both_densepose_segmentations_agree_part_by_part() -> None:
    """Fine part -> its coarse part, as DensePose's documentation pairs them."""
    pairs = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 9: 6, 8: 7, 10: 7, 11: 8, 13: 8, 12: 9, 14: 9}
    pairs |= {15: 10, 17: 10, 16: 11, 18: 11, 19: 12, 21: 12, 20: 13, 22: 13, 23: 14, 24: 14}
    assert len(pairs) == 24 and all(FINE[fine] == COARSE[coarse] for fine, coarse in pairs.items())


def test_the_number_in_the_name_is_that_of_the_labels() -> None:
    """densepose24 counts its parts without the background."""
    for name, labels in (TABLES | LAYERS).items():
        number = int(re.sub(r"\D", "", name))
        assert len(labels) == number + (name == "densepose24"), name


def test_sapiens2_is_sapiens_with_one_label_more_in_the_middle() -> None:
    first, second = ([label for label, _ in TABLES[name]] for name in ("sapiens28", "sapiens29"))
    assert second == [*first[:2], "eyeglass", *first[2:]]
    assert {name: second.index(name) for name in ("upper clothing", "tongue")} == {"upper clothing": 23, "tongue": 28}


def test_both_sides_and_all_tables_mean_the_same_by_a_label() -> None:
    meanings: dict[str, set[str]] = defaultdict(set)
    for labels in TABLES.values():
        for label, ours in labels:
            meanings[re.sub("^(left|right) ", "", label)].add(ours)
    assert {label: ours for label, ours in meanings.items() if len(ours) > 1} == {}


def test_tables_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("value,class\n0,background\n5,head\n2,hand\n", encoding="utf-8-sig")
    (tmp_path / "mine.toml").write_text('[classes]\n0 = "background"\n5 = "head"\n2 = "hand"\n', encoding="utf-8")
    for name in ("mine.csv", "mine.toml"):
        assert load_table(str(tmp_path / name), "lower_arm").tolist() == [0, -1, 4, -1, -1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "value;class\r\n0.0;Background\r\n\r\n5.0; head \r\n2.0;hand\r\n",
        "name,Class,Value\nbg,background,0\nx,head,5\ny,hand,2\n,,\n",
        '"value"\t"class"\n0\tbackground\n5\t"head"\n2\thand',
    ],
)
def test_tables_of_editors_and_spreadsheets(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.CSV").write_text(text, encoding="utf-16", newline="")
    assert load_table(str(tmp_path / "mine.CSV"), "lower_arm").tolist() == [0, -1, 4, -1, -1, 1]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.csv", "value,class\n1,hed\n", "value 1 is 'hed', which is no class. Known: background, head"),
        ("a.csv", "value,class\n", "is empty"),
        ("a.csv", "value,class\n1,head\n1,foot\n", "names a value twice"),
        ("a.csv", "value,class\n-1,head\n", r"value -1 is not in 0\.\.65535"),
        ("a.csv", "number,class\n1,head\n", "has no column value; it has number, class"),
        ("a.csv", "value,class\none,head\n", "cannot be read"),
        ("a.toml", "0 = 'background'\n", "cannot be read"),
        ("a.toml", "[classes\n", "cannot be read"),
        ("a.toml", "classes = 3\n", "cannot be read: classes = 3 is no table"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, file: str, text: str, message: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_table(str(tmp_path / file), "lower_arm")


def test_tables_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown class table 'lip21'; known: atr18, .*Did you mean lip20"):
        load_table("lip21", "lower_arm")
    with pytest.raises(UserError, match=r"mine\.csv does not exist"):
        load_table(str(tmp_path / "mine.csv"), "lower_arm")
