"""Folder that a conversion fills: what its crops are made from.

A file that exists is finished, because it is renamed last. So an interrupted conversion continues, and one of other
sources must not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.files import write_json
from pipeline.io.text import read_json


def claim(path: Path, state: Mapping[str, object], sources: str) -> None:
    """Mark of a folder as made from these sources.

    path: of the mark, in the folder. state: digests and options. sources: in words. Raises UserError for a folder with
    other files, OSError where it cannot be written.
    """
    out = path.parent
    try:
        known = read_json(path)
    except FileNotFoundError:
        known = None if out.is_dir() and any(out.iterdir()) else state
    except ValueError:
        known = None
    if known != state:
        wrong = f"{out} holds other files, or crops of other {sources}"
        raise UserError(wrong, "Choose another folder: --out FOLDER, or delete that one.")
    write_json(path, state)


@contextlib.contextmanager
def told_when_unwritable(out: Path) -> Iterator[None]:
    """Context in which an OSError becomes a UserError about the output."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{error.filename or out} cannot be written: {error.strerror or error}",
            "Make room or choose another --out, then run the same command again; finished crops are kept.",
        ) from error
