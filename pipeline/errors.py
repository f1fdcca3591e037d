"""UserError: something the user can mend; the command line prints it as one sentence and exits with 1."""

from __future__ import annotations


class UserError(Exception):
    """What is wrong (naming the file or value and the reason) and the remedy (what to type or change)."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(f"{wrong.rstrip('.')}. {remedy}")
        self.wrong = wrong
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[UserError], tuple[str, str]]:
        """So that a worker process can hand it to its caller."""
        return UserError, (self.wrong, self.remedy)
