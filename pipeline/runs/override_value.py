"""Values of --set: text of the command line -> type of the option.

No shell shows a user what TOML takes for a date or a number, so the option decides: a text stays the text that was
typed.
"""

from __future__ import annotations

import datetime
import types
import typing
from typing import Any

from pipeline.io.text import parse_toml

TRUTH = {"true": True, "false": False}  # in any case: Python writes True


def override_value(hint: Any, text: str) -> object:
    """Value of an option. hint: its type.

    Text that is no value of this type comes back as text, which the option's check refuses by name.
    """
    value, kinds = _toml(text), _kinds(hint)
    if kinds == {str}:
        return value if isinstance(value, str) else text
    if bool in kinds:
        return TRUTH.get(text.lower(), text if str in kinds and not isinstance(value, str) else value)
    return text if isinstance(value, datetime.date | datetime.time) else value


def _toml(text: str) -> object:
    """TOML value of a text; the text itself if it is none, as a bare word: --set eval.split=val."""
    try:
        table = parse_toml(f"x = {text}")
    except ValueError:
        return text
    return table["x"] if len(table) == 1 else text


def _kinds(hint: Any) -> set[Any]:
    """Types that an option can have, where it is set."""
    return set(typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)) - {type(None)}
