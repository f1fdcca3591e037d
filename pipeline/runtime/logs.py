"""Log messages of the package on the terminal.

They appear when a command runs and not in a Python program that imports the package.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import click


class TerminalHandler(logging.Handler):
    """Log handler: information to stdout, warnings to stderr, as plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=record.levelno >= logging.WARNING)


def log_to_terminal() -> None:
    """Messages of the package on the terminal from now on.

    A second call changes nothing.
    """
    package = logging.getLogger("pipeline")
    package.setLevel(logging.INFO)
    if not any(isinstance(handler, TerminalHandler) for handler in package.handlers):
        package.addHandler(TerminalHandler())


@contextlib.contextmanager
def warnings_only() -> Iterator[None]:
    """Context in which the package logs warnings and errors alone."""
    package = logging.getLogger("pipeline")
    before = package.level
    package.setLevel(logging.WARNING)
    try:
        yield
    finally:
        package.setLevel(before)
