"""Commands and changed banks for tests of person search."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.features import store

HOSTILE = "<img src=x onerror=alert(1)> & \"'.png"


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def changed(path: Path, copy: Path, change) -> Path:
    """A bank with other features."""
    bank, attrs = store.read_bank(path)
    store.write_bank(copy, change(bank), attrs)
    return copy
