"""Builder of frozen dataclasses from TOML or JSON tables."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import math
import shlex
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pipeline.errors import UserError, nearest

Kind = TypeVar("Kind")
Names = Mapping[str, Any]

DERIVED = {"derived": True}  # metadata of a field that the program fills in: no file may set it
EXPECTED = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
DATES = (datetime.date, datetime.time)  # a datetime is a date


def build(kind: type[Kind], values: Any, where: str, *, prefix: str = "", remedy: str = "") -> Kind:
    """Dataclass `kind` from a table; its fields name nested dataclasses.

    Lists become tuples, whole numbers become floats and 80.0 becomes 80 where the field says so, and a date becomes
    text where the field takes anything; nothing else is converted. Key names in messages start with `prefix`, e.g.
    "eval.". where: the file or the option that the values come from. remedy: "{key}" in it stands for the key that is
    wrong.

    Raises UserError, with `where`, the key, and `remedy`, for an unknown key (with the nearest known one), a missing
    key, a value of another type, and a value that `kind` refuses with ValueError.
    """
    return _Builder(where, remedy).table(kind, values, prefix)


def fields_of(kind: type) -> dict[str, Any]:
    """Name -> type of every field that a file may set."""
    names, hints = _fields(kind)
    return {name: hints[name] for name in names}


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, ...], dict[str, Any]]:
    fields = [f for f in dataclasses.fields(kind) if f.init and not f.metadata.get("derived")]
    return tuple(f.name for f in fields), typing.get_type_hints(kind)


def _required(kind: type) -> list[str]:
    missing = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(kind) if f.init and f.default is f.default_factory is missing]


@dataclasses.dataclass(frozen=True)
class _Builder:
    where: str
    remedy: str

    def table(self, kind: type[Kind], values: Any, prefix: str) -> Kind:
        if not isinstance(values, dict):
            raise self._wrong(prefix.rstrip("."), values, "a table")
        known = fields_of(kind)
        for key in values:
            if key not in known:
                raise self._unknown(key, known, prefix)
        for key in _required(kind):
            if key not in values:
                wrong = f"{self.where}: the key '{prefix}{key}' is missing"
                raise UserError(wrong, self._remedy(prefix + key, "Add that key there."))
        made = {key: self.value(known[key], value, f"{prefix}{key}") for key, value in values.items()}
        try:
            return kind(**made)
        except ValueError as error:
            named = prefix + str(error).partition(" = ")[0].removeprefix(prefix)
            raise UserError(f"{self.where}: {error}", self._remedy(named, "Change that value there.")) from error

    def value(self, hint: Any, value: Any, name: str) -> Any:
        """The value as the type `hint`; of `X | Y`, as the one that it has, else as X. No key is null."""
        if isinstance(hint, types.UnionType):
            kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
            hint = type(value) if type(value) in kinds else kinds[0]
        origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
        if hint in (Any, object):
            return self._anything(value, name)
        if dataclasses.is_dataclass(hint):
            return self.table(typing.cast("type[Any]", hint), value, f"{name}.")
        if origin is typing.Literal:
            return self._choice(inner, value, name)
        if origin in (tuple, list):
            items = self._items(inner if origin is tuple and inner else (*(inner or (Any,)), ...), value, name)
            return items if origin is tuple else list(items)
        if origin is dict:
            return self._entries(inner or (str, Any), value, name)
        return self._scalar(hint, value, name)

    def _scalar(self, hint: Any, value: Any, name: str) -> Any:
        if hint is int and type(value) is float and value.is_integer():
            return int(value)
        if hint is float and type(value) is int:
            value = _as_float(value)
        if type(value) is not hint or value in (math.inf, -math.inf) or value != value:
            raise self._wrong(name, value, EXPECTED.get(hint, str(hint)))
        return value

    def _anything(self, value: Any, name: str) -> Any:
        """A value whose type the program cannot know yet; JSON must be able to hold it."""
        if isinstance(value, dict):
            return {key: self._anything(item, f"{name}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self._anything(item, f"{name}[{number}]") for number, item in enumerate(value)]
        return self._scalar(float, value, name) if type(value) is float else _dated(value)

    def _items(self, inner: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list, e.g. [1, 2]")
        hints = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(value) != len(hints):
            raise self._wrong(name, value, f"a list of {len(hints)}")
        pairs = enumerate(zip(hints, value, strict=True))
        return tuple(self.value(hint, item, f"{name}[{number}]") for number, (hint, item) in pairs)

    def _choice(self, choices: tuple[Any, ...], value: Any, name: str) -> Any:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise self._wrong(name, value, f"one of {', '.join(map(str, choices))}")
        return value

    def _entries(self, inner: tuple[Any, ...], value: Any, name: str) -> Names:
        if not isinstance(value, dict):
            raise self._wrong(name, value, "a table of options")
        return {key: self.value(inner[1], item, f"{name}.{key}") for key, item in value.items()}

    def _unknown(self, key: str, known: Iterable[str], prefix: str) -> UserError:
        meant = nearest(key, known)
        question = f"Did you mean {meant}? " if meant else ""
        names = ", ".join(sorted(known)) or "none"
        wrong = f"{self.where}: unknown key '{prefix}{key}'"
        nothing_to_set = not meant and "{key}" in self.remedy
        remedy = "Leave it out, or take a known one." if nothing_to_set else self._remedy(prefix + (meant or key))
        return UserError(wrong, f"{question}Known: {names}. {remedy}".strip())

    def _wrong(self, name: str, value: object, expected: str) -> UserError:
        key = name.partition("[")[0]
        remedy, shown = self._remedy(key, "Change it in that file."), _dated(value)
        if expected == EXPECTED[str] and not isinstance(value, dict | list):
            quoted = f'{key}="{shown}"'
            given, usual = "--set " + shlex.quote(quoted), f"--set {key}=..."
            remedy = remedy.replace(usual, given) if usual in remedy else f"Put it in quotes: {quoted}. {remedy}"
        spelled = shown if isinstance(value, DATES) else repr(shown)
        return UserError(f"{self.where}: {name} = {spelled}: expected {expected}", remedy)

    def _remedy(self, key: str, usual: str = "") -> str:
        return (self.remedy or usual).replace("{key}", key)


def _dated(value: Any) -> Any:
    """A date of TOML as the text that it was, also inside lists and tables; any other value as it is."""
    if isinstance(value, dict):
        return {key: _dated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_dated(item) for item in value]
    return value.isoformat() if isinstance(value, DATES) else value


def _as_float(value: int) -> float:
    """A whole number as a float; infinity if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
