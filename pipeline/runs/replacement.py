"""Replacement of a finished stage's outputs: all of them or none.

A stage that has finished before writes its newer outputs into the folder next/ of its own folder, the stamp last. From
then on the newer outputs count: whoever reads the folder first moves them to their places. A process that is killed in
between leaves the rest to the next reader. So a folder holds the old outputs or the new ones at any moment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError, reason
from pipeline.io.files import TEMPORARY
from pipeline.io.text import read_json
from pipeline.runs.layout import NEXT, SCALARS, STAMP

UNFINISHED = ("state-*.pt", "parts/*", f"*{TEMPORARY}", f"*/*{TEMPORARY}")  # in next/, of no use after the work


def settle(folder: Path) -> None:
    """Move complete newer outputs of a stage to their places.

    folder: of the stage. Without a stamp in its next/ nothing happens. Several processes may do it at the same time.
    Raises UserError where the folder cannot be written.
    """
    newer = folder / NEXT
    if not (newer / STAMP).is_file():
        return
    kept = _outputs(newer / STAMP)
    if not kept:  # a damaged stamp: they are not known to be complete
        return
    try:
        _remove(folder, _outputs(folder / STAMP) - kept)
        _replace_scalars(folder, newer)
        for pattern in UNFINISHED:
            for path in newer.glob(pattern):
                path.unlink(missing_ok=True)
        files = [path for path in sorted(newer.rglob("*")) if path.is_file()]
        for path in sorted(files, key=lambda path: path == newer / STAMP):  # the stamp is last
            _move(path, folder / path.relative_to(newer))
        shutil.rmtree(newer, ignore_errors=True)  # empty folders are left
    except OSError as error:
        wrong = f"{newer} holds the newer outputs of {folder}, which cannot be moved there: {reason(error)}"
        raise UserError(wrong, f"Make {folder} and its files writable, then run the same command again.") from error


def link(source: Path, target: Path) -> None:
    """Second name for a file, or a copy where links are impossible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        path = folder / name
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in it
            path.parent.rmdir()


def _replace_scalars(folder: Path, newer: Path) -> None:
    """Replace the scalars of a training as a whole: no stamp names them."""
    if (newer / SCALARS).is_dir():
        shutil.rmtree(folder / SCALARS, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # another process has moved them
            os.replace(newer / SCALARS, folder / SCALARS)


def _move(source: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process has moved it
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
    source.unlink(missing_ok=True)  # two names of one file stay after a rename


def _outputs(path: Path) -> set[str]:
    """Names of the outputs in a stamp; none without a readable one. Names outside of its folder are left out."""
    try:
        names = read_json(path)["outputs"]
        return {name for name in names if not PurePosixPath(name).is_absolute() and ".." not in name.split("/")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
