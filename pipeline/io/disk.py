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
RUNS, OUT = "another folder with RUNS=", "another place with --out"  # where else a file can go


def require_space(path: Path, needed: int, elsewhere: str = RUNS) -> None:
    """Check of the free space at `path`.

    path: a file or folder that will be written. needed: bytes. elsewhere: RUNS, or OUT for a file that the user named.
    Raises UserError unless so many bytes are free there.
    """
    folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{path} needs {needed / MEGABYTE:,.1f} MB, but only {free / MEGABYTE:,.1f} MB are free there",
            _remedy(path, elsewhere),
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
def told_when_full(path: Path, elsewhere: str = RUNS) -> Iterator[None]:
    """Context that turns "no space left" into a UserError that names `path`.

    Other errors pass. elsewhere: as in `require_space`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(f"the disk is full: {path} could not be written", _remedy(path, elsewhere)) from error
        raise


def _remedy(path: Path, elsewhere: str) -> str:
    return f"Free space below {path.parent}, or choose {elsewhere}."
