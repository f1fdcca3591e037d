"""Result of one check of the doctor."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

LEVELS = ("ok", "warning", "problem")
WIDTH = 120


@dataclass(frozen=True)
class Diagnosis:
    """Result of one check.

    level: one of LEVELS; a problem stops the default pipeline. found: what was found. remedy: "" if ok.
    """

    name: str
    level: str
    found: str
    remedy: str = ""

    def text(self) -> str:
        first, rest = f"{self.level:8} {self.name:12} ", " " * 22
        lines = _wrapped(first, self.found, rest)
        return "\n".join([*lines, *(_wrapped(f"{rest}-> ", self.remedy, rest + "   ") if self.remedy else [])])


def _wrapped(first: str, text: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
