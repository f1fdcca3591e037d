"""Free disk space: checked before a large file, explained when it ends.

Writes nothing itself.
"""

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
    """Check of the free space at `path`.

    path: a file or folder that will be written. Raises UserError unless `needed` bytes are free there.
    """
    folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{path} needs {needed / MEGABYTE:,.1f} MB, but only {free / MEGABYTE:,.1f} MB are free there",
            _remedy(path),
        )


def reserve(descriptor: int, size: int) -> None:
    """Disk space of `size` bytes, reserved for an open file.

    Writing these bytes cannot fail afterwards. Raises OSError where the disk is full. HDF5 must not meet a full disk
    itself: it cannot close such a file, prints thousands of lines and crashes at exit.
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
    """Context that turns "no space left" into a UserError that names `path`.

    Other errors pass.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk is full: {path} could not be written", _remedy(path)) from error
        raise


def _remedy(path: Path) -> str:
    return f"Free space below {path.parent}, or choose another folder with RUNS=."
