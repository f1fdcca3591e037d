"""Many texts in one buffer: what goes in comes out, in little memory."""

import sys

import pytest

from pipeline.io.files import digest_json
from pipeline.io.texts import BLOCK, Texts, ascending, digest_list

ODD = ["", "a", "ß", "京都/1.jpg", "\udcff.png", ""]


def test_texts_come_out_as_they_went_in() -> None:
    texts = Texts(ODD)
    texts.append("last")
    texts.extend(["x"] * (2 * BLOCK + 1))
    expected = [*ODD, "last", *["x"] * (2 * BLOCK + 1)]
    assert list(texts) == expected and len(texts) == len(expected)
    assert (texts[2], texts[-1], texts[1:4]) == ("ß", "x", ODD[1:4])
    assert texts == Texts(expected) and texts != Texts(ODD)
    for outside in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            texts[outside]


def test_a_text_takes_little_more_than_its_letters() -> None:
    texts = Texts(f"{number:030}" for number in range(10_000))
    assert sys.getsizeof(texts._letters) + sys.getsizeof(texts._ends) < 10_000 * 45


@pytest.mark.parametrize("values", [[], ["ß", 1, [2, {"b": 1, "a": None}]], list(range(2 * BLOCK + 1))])
def test_the_digest_of_a_list_is_that_of_its_json(values: list[object]) -> None:
    assert digest_list(iter(values)) == digest_json(values)
    assert digest_list(iter(values), '["x",', "]") == digest_json(["x", values])


@pytest.mark.parametrize(("texts", "expected"), [([], True), (["a", "b"], True), (["a", "a"], False), ("ba", False)])
def test_ascending(texts: list[str], expected: bool) -> None:
    assert ascending(texts) is expected
