"""Catalogue of the options.

Each has a type, choices, a default, a reason, former names, and the presets that change it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import types
import typing
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.io.build import EXPECTED, fields_of
from pipeline.runs.config import SECTIONS, Config
from pipeline.runs.config_loading import load_config, presets
from pipeline.runs.option_names import OPTION_ALIASES, SECTION_ALIASES, current_name, nearest_option, nearest_section
from sorn.config import choices_of, spelled

PLURAL = {bool: "of true and false", int: "whole numbers", float: "numbers", str: "texts"}


@dataclass(frozen=True)
class Option:
    """One option.

    former: its former names, as section.name. presets: name -> value, for the presets that change it.
    """

    section: str
    name: str
    kind: str
    choices: tuple[object, ...]
    default: object
    reason: str
    former: tuple[str, ...]
    presets: dict[str, object]

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    def lines(self) -> list[str]:
        """Lines for the terminal: default, type, reason, presets, former names."""
        kind = "one of " + ", ".join(map(spelled, self.choices)) if self.choices else self.kind
        lines = [
            f"{self.key} = {as_toml(self.default)}    ({kind})",
            *(f"    {line}" for line in self.reason.split("\n")),
        ]
        if self.presets:
            lines.append(
                "    Presets: " + ", ".join(f"{name} {as_toml(value)}" for name, value in self.presets.items())
            )
        if self.former:
            lines.append(f"    Former name, still understood: {', '.join(self.former)}")
        return lines


def find_options(chosen: str = "") -> list[Option]:
    """All options, the options of a section, or one option.

    chosen: "", a section, or section.name; former names are known too. Raises UserError for an unknown section or
    option, with the nearest known one.
    """
    given, dot, name = chosen.partition(".")
    section = SECTION_ALIASES.get(given, given)
    if section and section not in SECTIONS:
        meant = nearest_option(chosen) or nearest_section(section) if dot else nearest_section(section)
        meant = meant or nearest_option(chosen)
        raise _unknown(f"there is no section '{given}'", meant, list(SECTIONS))
    options = [option for key in ([section] if section else SECTIONS) for option in _section(key)]
    if not dot:
        return options
    one = [option for option in options if option.name == current_name(section, name)]
    if not one:
        raise _unknown(f"there is no option '{chosen}'", nearest_option(chosen), [option.key for option in options])
    return one


def as_toml(value: object) -> str:
    """Value in the spelling of a configuration file, or "not set"."""
    if value is None:
        return "not set"
    return json.dumps(value) if not isinstance(value, dict) or value else "{}"


def section_title(section: str) -> str:
    """Line with name, content and former name of a section."""
    former = [old for old, new in SECTION_ALIASES.items() if new == section]
    return f"[{section}] {(SECTIONS[section].__doc__ or '').splitlines()[0]}" + "".join(
        f" Former name, still understood: [{name}]." for name in former
    )


def _unknown(wrong: str, meant: str, known: list[str]) -> UserError:
    remedy = f"Did you mean {meant}? See all: sorn options" if meant else f"Known: {', '.join(known)}."
    return UserError(wrong, remedy)


def _section(section: str) -> list[Option]:
    kind, default = SECTIONS[section], getattr(Config(), section)
    reasons, hints = _reasons(kind), fields_of(kind)
    changed = {name: getattr(load_config(name), section) for name in presets()}
    return [
        Option(
            section,
            field.name,
            _kind(hints[field.name]),
            choices_of(field),
            getattr(default, field.name),
            reasons.get(field.name, ""),
            tuple(old for old, new in OPTION_ALIASES.items() if new == f"{section}.{field.name}"),
            {
                name: getattr(values, field.name)
                for name, values in changed.items()
                if getattr(values, field.name) != getattr(default, field.name)
            },
        )
        for field in dataclasses.fields(kind)
    ]


def _reasons(kind: type) -> dict[str, str]:
    """Field of a configuration -> the comment below it; empty without the source code."""
    try:
        source = inspect.getsource(kind)
    except OSError:
        return {}
    lines, reasons = source.splitlines(), {}
    (definition,) = ast.parse(source).body
    for node in ast.walk(definition):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            comment = []
            for line in lines[node.end_lineno or 0 :]:
                if not line.strip().startswith("#"):
                    break
                comment.append(line.strip().removeprefix("#").strip())
            reasons[node.target.id] = "\n".join(comment)
    return reasons


def _kind(hint: Any) -> str:
    """A type in words."""
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is types.UnionType:  # None is an option that is left open
        return _kind(inner[0])
    if origin is tuple:
        count = "" if inner[-1] is Ellipsis else f"{len(inner)} "
        return f"a list of {count}{PLURAL[inner[0]]}"
    return "a table" if origin is dict else EXPECTED[hint]
