"""Typed documents: frozen dataclasses <-> JSON values. No files."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Key:
    """Annotation of a field that has another name in JSON."""

    name: str


@dataclass(frozen=True)
class Flat:
    """Annotation of a field whose keys stand beside its neighbours.

    The field is a dataclass, or a dict of all other keys.
    """


@dataclass(frozen=True)
class Member:
    """One field of a document. required: it has no default."""

    name: str
    key: str
    flat: bool
    hint: Any
    required: bool


SCALARS: dict[object, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    type(None): ((type(None),), "null"),
}


def to_json(document: Any) -> Any:
    """JSON value of a dataclass, a dict, a sequence or a scalar.

    The keys have the order of the fields.
    """
    if dataclasses.is_dataclass(document):
        value: dict[str, object] = {}
        for member in _members(typing.cast(Any, type(document))):
            found = to_json(getattr(document, member.name))
            value |= found if member.flat else {member.key: found}
        return value
    if isinstance(document, dict):
        return {key: to_json(item) for key, item in document.items()}
    return [to_json(item) for item in document] if isinstance(document, list | tuple) else document


def from_json(kind: type[T], value: object, where: str = "") -> T:
    """Dataclass from its JSON value; unknown keys are ignored.

    where: the value's place, for messages. Raises ValueError naming the field that is missing or of another type.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where or 'the document'}: expected a table, found {_short(value)}")
    members = _members(typing.cast(Any, kind))
    known = {member.key for member in members if not member.flat}
    given = {}
    for member in members:
        place = f"{where}.{member.key}" if where else member.key
        if member.flat:
            rest = {key: item for key, item in value.items() if key not in known}
            given[member.name] = _read(member.hint, rest, where)
        elif member.key in value:
            given[member.name] = _read(member.hint, value[member.key], place)
        elif member.required:
            raise ValueError(f"{place} is missing")
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}" if where else str(error)) from error


def require_version(value: object, version: int) -> object:
    """The same value; ValueError where its `schema_version` is another."""
    found = value.get("schema_version") if isinstance(value, dict) else None
    if found is not None and found != version:
        raise ValueError(f"it is of schema version {_short(found)}, this program of {version}")
    return value


def _read(hint: Any, value: object, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast(type, hint), value, where)
    if origin is types.UnionType:
        return _read_one_of(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{where}: expected a list, found {_short(value)}")
        return tuple(_read(inner[0], item, f"{where}[{place}]") for place, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected a table, found {_short(value)}")
        return {key: _read(inner[1], item, f"{where}.{key}" if where else key) for key, item in value.items()}
    if hint not in SCALARS:
        return value
    accepted, expected = SCALARS[hint]
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where}: expected {expected}, found {_short(value)}")
    return value


def _read_one_of(kinds: tuple[Any, ...], value: object, where: str) -> Any:
    """The first kind that the value fits; the error is that of the first kind."""
    if value is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[1:]:
        try:
            return _read(others[0], value, where)
        except ValueError:
            others = [kind]
    return _read(others[0], value, where)


@functools.cache
def _members(kind: Any) -> tuple[Member, ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(_member(field, hints[field.name]) for field in dataclasses.fields(kind))


def _member(field: dataclasses.Field[Any], hint: Any) -> Member:
    extras = list(getattr(hint, "__metadata__", ()))
    hint = typing.get_args(hint)[0] if extras else hint
    key = next((extra.name for extra in extras if isinstance(extra, Key)), field.name)
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    return Member(field.name, key, Flat() in extras, hint, required)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
