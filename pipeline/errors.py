"""UserError: something the user can mend; the command line prints it as one sentence and exits with 1."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

WRONG_OPTION = "Correct that option: --help says what it takes."


class UserError(Exception):
    """What is wrong (naming the file or value and the reason) and the remedy (what to type or change)."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong.rstrip('.')}. {remedy}")
        self.wrong = wrong
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str]]:
        """So that a worker process can hand it to its caller."""
        return UserError, (self.wrong, self.remedy)


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name that `given` most probably misspells, "" for none. Upper case, "-" and "_" make no difference."""
    names = {_plain(name): name for name in known}
    close = difflib.get_close_matches(_plain(given), names, 1, cutoff)
    return names[close[0]] if close else ""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Start of a remedy that asks for the nearest known name, "" where none is near."""
    name = nearest(given, known)
    return f"Did you mean {name}? " if name else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def reason(error: Exception) -> str:
    """In words, in one line.

    KeyError, which quotes whatever it is given, may hold a sentence or a name.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error) or type(error).__name__
    line = text.strip().splitlines()[0]
    return f"'{line}' is missing" if isinstance(error, KeyError) and " " not in line else line
