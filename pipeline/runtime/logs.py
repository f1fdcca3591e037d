"""Log messages of the package, on the terminal when a command runs and silent in a Python program."""

from __future__ import annotations

import logging

import click


class TerminalHandler(logging.Handler):
    """Writes information to stdout and warnings to stderr, as plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=record.levelno >= logging.WARNING)


def log_to_terminal() -> None:
    """Show the package's messages. A second call changes nothing."""
    package = logging.getLogger("pipeline")
    package.setLevel(logging.INFO)
    if not any(isinstance(handler, TerminalHandler) for handler in package.handlers):
        package.addHandler(TerminalHandler())
