"""Configuration files: presets and the user's TOML files -> one Config. Reads TOML; no torch.

A configuration file has the sections [danet], [masks], [model], [loss], [schedule], [train], [eval] and may start
from a preset with `base = "paper"`; `--set section.field=value` on the command line overrides both.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any

from pipeline.runs.config import OPTION_ALIASES, SECTION_ALIASES, SECTIONS, Config, Runtime
from pipeline.errors import UserError
from pipeline.io.text import parse_toml, read_toml
from sorn.config import check

PRESET_DIR = Path(__file__).parent / "presets"
OPTION_TABLES = ("options", "keypoint_options")  # whose own keys --set reaches: --set masks.options.table=lip20


def presets() -> list[str]:
    return sorted(path.stem for path in PRESET_DIR.glob("*.toml"))


def load_config(name: str, overrides: tuple[str, ...] = (), runtime: Runtime | None = None) -> Config:
    """Preset name or path of a TOML file, plus `section.field=value` overrides -> Config.

    Raises UserError for an unknown preset, section or field (with the known ones) and for a value out of range.
    """
    sections = _read(name)
    for text in overrides:
        _override(sections, text)
    return dataclasses.replace(
        Config(**{section: _build(section, values, name) for section, values in sections.items()}),
        runtime=runtime or Runtime(),
    )


def _read(name: str, readers: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Sections of a preset or file, on top of those of its base. readers: the files whose base this is."""
    path = Path(name) if name.endswith(".toml") else PRESET_DIR / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"no configuration '{name}'", f"Known presets: {', '.join(presets())}; or give the path of a .toml file."
        )
    try:
        table = read_toml(path)
    except ValueError as error:
        raise UserError(
            f"{path} is not TOML: {error}", 'Mend that line, or start from a preset: base = "paper".'
        ) from error
    base = table.pop("base", "")
    if not isinstance(base, str) or name in readers:
        raise UserError(f"{path}: base = {base!r} leads nowhere", f"Start from a preset: {', '.join(presets())}.")
    sections = _read(base, (*readers, name)) if base else {}
    for given, values in table.items():
        section = SECTION_ALIASES.get(given, given)
        if section not in SECTIONS or not isinstance(values, dict):
            raise UserError(f"{path}: unknown section '{given}'", f"Known sections: {', '.join(SECTIONS)}.")
        sections.setdefault(section, {}).update({_option(section, key): value for key, value in values.items()})
    return sections


def _option(section: str, key: str) -> str:
    """The option's name today."""
    return OPTION_ALIASES.get(f"{section}.{key}", f"{section}.{key}").partition(".")[2]


def _override(sections: dict[str, dict[str, Any]], text: str) -> None:
    key, equals, value = text.partition("=")
    section, dot, option = key.strip().partition(".")
    section = SECTION_ALIASES.get(section, section)
    if not equals or not dot or section not in SECTIONS:
        raise UserError(
            f"--set {text}: not of the form section.field=value",
            f"Sections: {', '.join(SECTIONS)}; e.g. --set eval.tau=0.2",
        )
    try:
        parsed = parse_toml(f"x = {value.strip()}")["x"]
    except ValueError:
        parsed = value.strip()  # a bare word is a string: --set eval.split=val
    target = sections.setdefault(section, {})
    table, dot, own = option.partition(".")
    table = _option(section, table)
    if dot and table in OPTION_TABLES:
        target[table] = {**target.get(table, {}), own: parsed}
    else:
        target[_option(section, option)] = parsed


def _build(section: str, values: dict[str, Any], source: str) -> Any:
    kind = SECTIONS[section]
    known = typing.get_type_hints(kind)
    for key in values:
        if key not in known:
            raise UserError(
                f"{source}: unknown option {section}.{key}", f"Known in [{section}]: {', '.join(sorted(known))}."
            )
    try:
        return kind(**{key: _coerce(f"{section}.{key}", value, known[key]) for key, value in values.items()})
    except ValueError as error:
        raise UserError(f"{source}: {error}", f"Change [{section}] there, or override it with --set.") from error


def _coerce(name: str, value: Any, hint: Any) -> Any:
    """TOML value -> the annotated type: lists become tuples, integers become floats, nothing else is guessed."""
    origin = typing.get_origin(hint)
    if origin is tuple:
        check(isinstance(value, list), name, value, "a list, e.g. [1, 2]")
        inner = typing.get_args(hint)
        length = len(value) if inner[-1] is Ellipsis else len(inner)
        check(len(value) == length, name, value, f"a list of {length}")
        return tuple(_coerce(name, item, inner[0]) for item in value)
    if origin is dict or hint is dict:
        check(isinstance(value, dict), name, value, "a table of options")
        return value
    if isinstance(hint, types.UnionType):
        hint = typing.get_args(hint)[0]
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "text")
    check(type(value) is hint, name, value, expected)
    return value
