"""UserError: something the user can mend; the command line prints it as one sentence and exits with 1."""

from __future__ import annotations

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


def reason(error: Exception) -> str:
    """In words, in one line.

    KeyError, which quotes whatever it is given, may hold a sentence or a name.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error) or type(error).__name__
    line = text.strip().splitlines()[0]
    return f"'{line}' is missing" if isinstance(error, KeyError) and " " not in line else line
