"""Recorded configurations: content of a file, differences of two.

A stamp holds the content of the configuration file that its stage was made with. `CONFIG=.../stamp.json` means that
content, so a command can be repeated when the file is changed or gone.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.text import read_text, read_toml
from pipeline.runs.command import RunCommand
from pipeline.runs.config import Config
from pipeline.runs.config_loading import file_text, read_sections
from pipeline.runs.layout import STAMP

FILE = ".toml"
WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*")
NO_TEXT = ("true", "false", "inf", "nan")  # words that TOML takes for something else


def as_recorded(command: RunCommand) -> RunCommand:
    """Command for a stamp, with the content of its configuration file.

    A file whose base is another file is recorded as one text. Of a stamp in place of a file, the name and the content
    that it records are taken.
    """
    path = Path(command.config)
    if path.name == STAMP and path.is_file():
        from pipeline.runs import stamp  # a stamp holds a command

        made = stamp.read(path.parent)
        named = made.command.config if made is not None and made.command is not None else command.config
        return dataclasses.replace(command, config=named, config_text=file_text(path))
    if path.suffix != FILE or not path.is_file():
        return command
    return dataclasses.replace(command, config_text=_whole_text(path))


def usable(command: RunCommand, stamp_file: Path) -> RunCommand:
    """Command of a stamp, with an unchanged configuration.

    stamp_file: takes the place of a configuration file that is gone or has another content.
    """
    if command.config_text is None or not command.config:
        return command
    same = False
    if command.config.endswith(FILE) and Path(command.config).is_file():
        try:
            same = _whole_text(Path(command.config)) == command.config_text
        except (UserError, OSError, ValueError):
            same = False
    return dataclasses.replace(command, config=command.config if same else str(stamp_file), config_text=None)


def differing(new: Config, old: Config, sections: Iterable[str]) -> tuple[str, ...]:
    """Options of some sections in which two configurations differ, as for --set.

    new: has the values that the options give. old: has those without them.
    """
    found = []
    for section in sections:
        wanted, there = getattr(new, section), getattr(old, section)
        for field in dataclasses.fields(wanted):
            value = getattr(wanted, field.name)
            if value != getattr(there, field.name):
                found.append(setting(f"{section}.{field.name}", value))
    return tuple(found)


def setting(name: str, value: object) -> str:
    """Argument of --set for an option.

    A text that is one word has no quotes.
    """
    bare = isinstance(value, str) and WORD.fullmatch(value) and value not in NO_TEXT
    return f"{name}={value if bare else as_toml_value(value)}"


def as_toml_value(value: object) -> str:
    """Value of an option as TOML, in one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {as_toml_value(entry)}" for key, entry in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(as_toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else str(value)


def _whole_text(path: Path) -> str:
    """Text of a file; if its base is another file, one text with the options of both."""
    base = read_toml(path).get("base", "")
    if not isinstance(base, str) or not base.endswith(FILE):
        return read_text(path)
    lines = []
    for section, values in read_sections(str(path)).items():
        lines += [f"[{section}]", *(f"{_key(key)} = {as_toml_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
