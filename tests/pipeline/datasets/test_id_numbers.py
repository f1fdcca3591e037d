"""Numbers of ids: what a training has seen keeps its number, whoever joins the gallery."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pipeline.datasets.id_numbers import EarlierNumbers, doubts, is_number, number_ids

LISTED = [("train", "zoe"), ("train", "yann"), ("query", "xena"), ("gallery", "xena")]


def numbers(ids: Iterable[tuple[str, str]]) -> dict[str, int]:
    return dict(number_ids(ids).numbers)


def test_whole_numbers_stand_for_themselves_and_are_shown_as_written() -> None:
    found = number_ids([("train", "0042"), ("train", "7"), ("query", "0")])
    assert (found.numbers, found.names) == ({"0": 0, "0042": 42, "7": 7}, {42: "0042"})
    with pytest.raises(ValueError, match="'07' and '7' are one number"):
        number_ids([("train", "7"), ("gallery", "07")])


def test_names_are_numbered_from_one_in_their_order() -> None:
    found = number_ids([("query", "zoe"), ("gallery", "7"), ("gallery", "anna")])
    assert found.numbers == {"7": 1, "anna": 2, "zoe": 3} and found.names == {1: "7", 2: "anna", 3: "zoe"}


@pytest.mark.parametrize(
    "more",
    [
        [("gallery", "aaron")],
        [("query", "aaron"), ("gallery", "aaron")],
        [("labeler", "aaron")],
        [("gallery", "1")],
        [("gallery", str(2**63 - 1))],
        [("gallery", str(10**21))],
    ],
)
def test_one_more_in_a_later_group_leaves_the_numbers_of_training(more: list[tuple[str, str]]) -> None:
    for listed in (LISTED, [*LISTED, ("val_query", "mia"), ("val_gallery", "mia")], [("train", "3"), ("train", "1")]):
        before, after = numbers(listed), numbers([*listed, *more])
        trained = {text for split, text in listed if split == "train" or "val" in split}
        assert {text: before[text] for text in trained} == {text: after[text] for text in trained}
        assert len(set(after.values())) == len(after) and all(0 <= number < 2**63 for number in after.values())


def test_the_order_of_rows_means_nothing() -> None:
    assert numbers(LISTED) == numbers(LISTED[::-1])


def earlier(given: dict[str, int], trained: set[str]) -> EarlierNumbers:
    return EarlierNumbers(given, frozenset(trained))


def test_numbers_of_an_older_version_are_kept_while_the_training_persons_are_the_same() -> None:
    old = {"xena": 1, "yann": 2, "zoe": 3}
    assert numbers(LISTED) == {"yann": 1, "zoe": 2, "xena": 3}
    found = number_ids([*LISTED, ("gallery", "aaron")], earlier(old, {"yann", "zoe"}))
    assert found.numbers == {**old, "aaron": 4}
    assert list(found.names) == [1, 2, 3, 4], "files have the same bytes each time"
    assert number_ids([*LISTED, ("train", "aaron")], earlier(old, {"yann", "zoe"})).numbers["aaron"] == 1
    kept = earlier({"yann": 1, "zoe": 2, "gone": 3}, {"yann", "zoe"})
    assert number_ids(LISTED, kept).numbers == numbers(LISTED), "history does not matter where it need not"


@pytest.mark.parametrize(
    ("text", "expected"), [("0", True), ("007", True), (str(2**63), False), ("-1", False), ("١", False), ("+1", False)]
)
def test_what_is_a_number(text: str, expected: bool) -> None:
    assert is_number(text) == expected and not is_number("9" * 5000)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["zoe", "Zoe ", "yann"], "1 pids have several spellings, which count as different ones: 'Zoe ' and 'zoe'"),
        (["a", "1", "01"], "'01' and '1'"),
        (["a", "1,000", "1000", "1e3"], "'1,000' and '1000' and '1e3'"),
        (["a", "１", "1"], "'1' and '１'"),
        (["jose\u0301", "jos\u00e9"], "1 pids have several spellings"),
        (["a  b", "a b"], "'a  b' and 'a b'"),
        (["1.23457E+20", "5"], "1 pids are numbers that a spreadsheet has shortened: 1.23457E+20"),
        (["nan", "zoe"], "pid 'nan' counts as one pid, but may be a missing value"),
    ],
)
def test_names_that_may_not_mean_what_they_say(ids: list[str], expected: str) -> None:
    (finding,) = doubts("pid", ids)
    assert finding.level == "warning" and expected in finding.wrong and finding.remedy


def test_long_ids_and_hashes_are_no_doubt() -> None:
    assert doubts("pid", ["1" * 40, "1" * 39 + "2", "ab1e3", "9e9999999", "10000000000000000000001"]) == []
