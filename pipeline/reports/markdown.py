"""Tables and options in Markdown. Reads and writes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping


def pipe_table(rows: list[list[str]], column: str = "--:") -> list[str]:
    """A Markdown table; column: how all columns but the first are aligned."""
    header, *body = rows
    rule = ["---"] + [column] * (len(header) - 1)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *body)]


def code(value: Mapping[str, object]) -> str:
    """A flat table of options as inline code."""
    return ", ".join(f"`{key} = {json.dumps(item)}`" for key, item in value.items())


def escape(text: str) -> str:
    """Text in Markdown: names and messages are no markup."""
    return re.sub(r"([\\|*_`<\[])", r"\\\1", text)


def escaped(rows: list[list[str]]) -> list[list[str]]:
    """Every cell of a table as text."""
    return [[escape(cell) for cell in row] for row in rows]
