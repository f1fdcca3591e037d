"""Room on the disk: asked for before a large file is begun; a full disk is told in words. Writes nothing itself."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UserError

MEGABYTE = 10**6


def require_space(path: Path, needed: int) -> None:
    """Raise UserError unless `needed` bytes are free where the file or folder `path` is going to be written."""
    folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{path} needs {needed / MEGABYTE:,.1f} MB, but only {free / MEGABYTE:,.1f} MB are free there",
            _remedy(path),
        )


def reserve(descriptor: int, size: int) -> None:
    """Give an open file `size` bytes of the disk, so that writing them cannot fail. OSError where the disk is full.

    HDF5 must not meet a full disk itself: it cannot close such a file, prints thousands of lines and crashes at exit.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot reserve
            raise


@contextlib.contextmanager
def told_when_full(path: Path) -> Iterator[None]:
    """Turn "no space left" while `path` is written into a UserError; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk is full: {path} could not be written", _remedy(path)) from error
        raise


def _remedy(path: Path) -> str:
    return f"Free space below {path.parent}, or choose another folder with RUNS=."
