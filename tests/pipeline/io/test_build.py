"""Dataclasses from TOML and JSON, and what is said of values that do not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest

from pipeline.errors import UserError
from pipeline.io.build import DERIVED, build, fields_of


@dataclass(frozen=True)
class Inner:
    name: str
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    size: tuple[int, int] = (1, 2)
    names: tuple[str, ...] = ()
    camera: int | None = None
    deep: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)
    inner: Inner | None = None
    more: tuple[Inner, ...] = ()
    mode: Literal["fast", "exact"] = "fast"
    listed: list[float] = field(default_factory=list)
    anything: dict = field(default_factory=dict)  # type: ignore[type-arg]
    mixed: dict[str, str | int | float] = field(default_factory=dict)
    origin: Path = field(default=Path(), metadata=DERIVED)

    def __post_init__(self) -> None:
        if self.size[0] < 1:
            raise ValueError(f"outer.size = {self.size}: expected 1 or more")


def test_tables_lists_and_whole_numbers_become_what_the_fields_say() -> None:
    values = {
        "size": [3, 4],
        "names": ["a"],
        "camera": 2,
        "counts": {"train": 5},
        "free": {"any": [1, "b"]},
        "inner": {"name": "i", "share": 1},
        "more": [{"name": "m"}],
    }
    made = build(Outer, values, "x.toml")
    assert made == Outer((3, 4), ("a",), 2, False, {"train": 5}, {"any": [1, "b"]}, Inner("i", 1.0), (Inner("m"),))
    plain = build(Outer, {"mode": "exact", "listed": [1, 2.5], "anything": {"a": [1]}}, "x.toml")
    assert (plain.mode, plain.listed, plain.anything) == ("exact", [1.0, 2.5], {"a": [1]})
    mixed = build(Outer, {"mixed": {"a": "b", "c": 57, "d": 0.5}}, "x.toml").mixed
    assert mixed == {"a": "b", "c": 57, "d": 0.5} and type(mixed["c"]) is int
    loose = build(Outer, {"camera": 2.0, "size": [3.0, 4], "free": {"day": date(2024, 5, 1)}}, "x.toml")
    assert (loose.camera, loose.size, loose.free) == (2, (3, 4), {"day": "2024-05-01"})
    assert made.inner is not None and type(made.inner.share) is float
    assert build(Outer, {}, "x.toml") == Outer()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sizes": [1, 2]}, "x.toml: unknown key 'o.sizes'. Did you mean size? Known: anything, camera, counts,"),
        ({"origin": "/"}, "x.toml: unknown key 'o.origin'."),
        ({"size": 3}, "x.toml: o.size = 3: expected a list, e.g. [1, 2]. "),
        ({"size": [3]}, "x.toml: o.size = [3]: expected a list of 2. "),
        ({"size": [3, 4.5]}, "x.toml: o.size[1] = 4.5: expected a whole number. "),
        ({"size": [0, 1]}, "x.toml: outer.size = (0, 1): expected 1 or more. "),
        ({"deep": 1}, "x.toml: o.deep = 1: expected true or false. "),
        ({"camera": True}, "x.toml: o.camera = True: expected a whole number. "),
        ({"counts": {"train": "5"}}, "x.toml: o.counts.train = '5': expected a whole number. "),
        ({"inner": 3}, "x.toml: o.inner = 3: expected a table. "),
        ({"inner": {}}, "x.toml: the key 'o.inner.name' is missing. "),
        ({"more": [{"name": "m"}, {"nam": "m"}]}, "x.toml: unknown key 'o.more[1].nam'. Did you mean name? "),
        ({"mode": "slow"}, "x.toml: o.mode = 'slow': expected one of fast, exact. "),
        ({"listed": ["a"]}, "x.toml: o.listed[0] = 'a': expected a finite number. "),
        ({"listed": [float("inf")]}, "x.toml: o.listed[0] = inf: expected a finite number. "),
        ({"listed": [10**400]}, "x.toml: o.listed[0] = inf: expected a finite number. "),
        ({"free": {"a": [float("nan")]}}, "x.toml: o.free.a[0] = nan: expected a finite number. "),
        ({"names": [date(2024, 5, 1)]}, "x.toml: o.names[0] = 2024-05-01: expected text. Put it in quotes: "),
        ({"inner": {"name": 7}}, 'x.toml: o.inner.name = 7: expected text. Put it in quotes: o.inner.name="7"'),
        ([1], "x.toml: o = [1]: expected a table. "),
    ],
)
def test_what_does_not_fit_is_named_with_file_key_and_type(values: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        build(Outer, values, "x.toml", prefix="o.")
    assert str(error.value).startswith(message)


def test_the_remedy_of_the_caller_is_said() -> None:
    for values in ({"deep": 1}, {"none": 1}, {"size": [0, 1]}, {"inner": {}}):
        with pytest.raises(UserError) as error:
            build(Outer, values, "x.toml", remedy="Look into the manual.")
        assert error.value.remedy.endswith("Look into the manual.")
    with pytest.raises(UserError, match=r"Set it: o\.size = \.\.\."):
        build(Outer, {"size": [1, "b"]}, "x.toml", prefix="o.", remedy="Set it: {key} = ...")


def test_a_number_for_a_text_is_quoted_in_the_remedy() -> None:
    with pytest.raises(UserError) as error:
        build(
            Inner,
            {"name": 2024},
            "labeler import",
            prefix="masks.options.",
            remedy="Correct it: --set {key}=...; see: help",
        )
    assert error.value.remedy == "Correct it: --set 'masks.options.name=\"2024\"'; see: help"


def test_fields_that_a_file_may_set() -> None:
    assert list(fields_of(Inner)) == ["name", "share"] and "origin" not in fields_of(Outer)


def test_no_value_is_asked_for_a_key_that_does_not_exist() -> None:
    remedy = "Correct {key}."
    for key, expected in (("zzz", "Leave it out, or take a known one."), ("nam", "Correct a.name.")):
        with pytest.raises(UserError) as refused:
            build(Inner, {key: 1}, "a file", prefix="a.", remedy=remedy)
        assert refused.value.remedy.endswith(f"Known: name, share. {expected}")
