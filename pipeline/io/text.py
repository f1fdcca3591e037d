"""Text, JSON and TOML files from unknown sources.

A file is read, or refused by a ValueError with the reason.
"""

from __future__ import annotations

import codecs
import json
import math
import tomllib
from pathlib import Path
from typing import Any, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

LARGEST = 256 << 20  # bytes; what is read takes ten times as much memory
TOO_DEEP = "lists or tables in one another, deeper than anybody writes them"


def read_text(path: Path) -> str:
    """Text of a UTF-8 or UTF-16 file, without its byte order mark.

    Windows and its spreadsheets write such marks; UTF-16 needs one. Raises OSError, and ValueError for another
    encoding.
    """
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig")


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises OSError for a file that cannot be read, ValueError for one that is no JSON, or too large.
    """
    return parse_json(_read(path))


def read_toml(path: Path) -> dict[str, object]:
    """Content of a TOML file. Raises as `read_json` does."""
    return parse_toml(_read(path))


def parse_json(text: str) -> Any:
    """Value of a JSON text.

    Raises ValueError, also for numbers that are not finite, because JSON has none.
    """
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def parse_toml(text: str) -> dict[str, object]:
    """Table of a TOML text. Raises ValueError."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def _read(path: Path) -> str:
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{size:,} bytes are more than such a file ever has")
    return read_text(path)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is not finite")
    return value
