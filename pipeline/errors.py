"""Error for the user: what is wrong, and the remedy.

The command line prints it as one sentence and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

WRONG_OPTION = "Correct that option: --help says what it takes."


class UserError(Exception):
    """Error that the user can correct.

    wrong: names the file or value, and the reason. remedy: what to type or change.
    """

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong if wrong.endswith('...') else wrong.rstrip('.') + '.'} {remedy}")
        self.wrong = wrong
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str]]:
        """Support for pickling, so that a worker process can pass the error to its caller."""
        return UserError, (self.wrong, self.remedy)


class LostFile(UserError):
    """Error for a file that an option names and that is gone."""


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Known name that `given` most probably misspells, "" for none.

    Upper case, "-" and "_" make no difference.
    """
    names = {_plain(name): name for name in known}
    close = difflib.get_close_matches(_plain(given), names, 1, cutoff)
    return names[close[0]] if close else ""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Start of a remedy with the nearest known name, "" for none."""
    name = nearest(given, known)
    return f"Did you mean {name}? " if name else ""


def first_names(names: Sequence[str], most: int = 3) -> str:
    """Names for a message: the first `most`, and dots for the others.

    Bytes that are no text become `?`.
    """
    listed = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return listed.encode(errors="replace").decode()


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def reason(error: Exception) -> str:
    """Reason of an exception, in one line of text.

    The text of a KeyError may be a sentence or the name of a missing key.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error) or type(error).__name__
    line = text.strip().splitlines()[0]
    return f"'{line}' is missing" if isinstance(error, KeyError) and " " not in line else line
