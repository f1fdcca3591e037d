"""Typed documents: what is written comes back, and what does not fit is named by its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import pytest

from pipeline.io.documents import Flat, Key, from_json, require_version, to_json


@dataclass(frozen=True)
class Inner:
    size: tuple[int, ...]
    mean_iou: Annotated[float | None, Key("mIoU")]
    rest: Annotated[dict[str, float], Flat()] = field(default_factory=dict)


@dataclass(frozen=True)
class Outer:
    name: str
    good: bool
    inner: dict[str, Inner]
    mixed: tuple[dict[str, str | float], ...]
    options: dict[str, object]
    last: Inner | None = None


DOCUMENT = Outer("a", True, {"x": Inner((1, 2), 0.5, {"rank-1": 1})}, ({"a": "b", "c": 2},), {"k": [1, None]})
VALUE = {
    "name": "a",
    "good": True,
    "inner": {"x": {"size": [1, 2], "mIoU": 0.5, "rank-1": 1}},
    "mixed": [{"a": "b", "c": 2}],
    "options": {"k": [1, None]},
    "last": None,
}


def test_written_and_read_are_the_same() -> None:
    assert to_json(DOCUMENT) == VALUE and list(to_json(DOCUMENT)) == list(VALUE)
    assert from_json(Outer, VALUE) == DOCUMENT


def test_a_missing_default_and_an_unknown_key_are_no_errors() -> None:
    assert from_json(Outer, {key: value for key, value in VALUE.items() if key != "last"} | {"new": 1}) == DOCUMENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "^name: expected text, found 3$"),
        ({"good": 1}, "^good: expected true or false"),
        (
            {"inner": {"x": {"size": [1, "2"], "mIoU": 0.5}}},
            r"^inner\.x\.size\[1\]: expected a whole number, found '2'",
        ),
        ({"inner": {"x": {"size": [1], "mIoU": True}}}, r"^inner\.x\.mIoU: expected a number, found True"),
        ({"inner": {"x": {"size": [], "mIoU": None, "rank-1": "high"}}}, r"^inner\.x\.rank-1: expected a number"),
        ({"inner": {"x": {"mIoU": None}}}, r"^inner\.x\.size is missing$"),
        ({"inner": []}, "^inner: expected a table"),
        ({"mixed": [{"a": None}]}, r"^mixed\[0\]\.a: expected a number"),
        ({"mixed": {}}, "^mixed: expected a list"),
        ({"last": 1}, "^last: expected a table, found 1$"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(Outer, VALUE | change)


def test_another_version_is_refused_before_its_fields() -> None:
    assert require_version({"schema_version": 2}, 2) == {"schema_version": 2}
    with pytest.raises(ValueError, match="it is of schema version 1, this program of 2"):
        require_version({"schema_version": 1}, 2)
    with pytest.raises(ValueError, match="expected a table, found 'text'"):
        from_json(Outer, require_version("text", 2))
