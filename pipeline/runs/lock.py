"""Lock of a stage's folder: one process at a time works there.

Reads and writes the file .lock, which names the process. The lock is that of the operating system on the file (flock).
It ends with its process, even if the process is killed, so a user never has to delete anything. After the work the file
stays, empty. If it were removed, one process could get the lock of the removed file, and the next one the lock of a new
file. Only `sorn clean` removes the file, with its folder: a process that has locked a removed file tries again.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import getpass
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError
from pipeline.io.text import read_json

logger = logging.getLogger(__name__)

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # ENOSYS: Lustre mounted without flock
WHILE_WRITING = 0.1  # seconds for a process that just got the lock to write its name


@dataclass(frozen=True)
class Holder:
    """Process that holds a lock, one line of JSON in the file.

    since: ISO 8601 with the offset from UTC.
    """

    host: str
    pid: int
    user: str
    since: str
    stage: str


@contextlib.contextmanager
def held(folder: Path, stage: str) -> Iterator[None]:
    """Context that holds the lock of a folder for a stage.

    A missing folder is made. Raises UserError with the process that holds the lock already. On systems without locks
    (some network file systems, Windows) the work is done without a lock.
    """
    if sys.platform == "win32":
        yield
        return
    file = _locked(folder, stage)
    _held.add(file)
    try:
        file.truncate(0)
        file.write(json.dumps(asdict(_myself(stage))).encode() + b"\n")
        yield
    finally:
        if file in _held:  # not so in a forked child
            _held.remove(file)
            with file:
                file.truncate(0)


def _locked(folder: Path, stage: str) -> BinaryIO:
    """Open file of the folder, locked if the system has locks. Raises UserError if another process holds the lock."""
    path = folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as closing:
            file = closing.enter_context(open(path, "a+b", buffering=0))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise _conflict(folder, stage) from error
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                _say_there_are_none(str(error.strerror))
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                closing.pop_all()
                return file


def _conflict(folder: Path, stage: str) -> UserError:
    time.sleep(WHILE_WRITING)
    try:
        holder = Holder(**read_json(folder / LOCK))
        since = datetime.fromisoformat(holder.since).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OSError, ValueError, TypeError):
        wrong = f"another process holds {folder}, and {LOCK} does not name it"
        return UserError(wrong, f"Wait until it ends, then run {stage} again; nothing needs to be deleted.")
    who = f"process {holder.pid} of {holder.user} on host {holder.host}, since {since}"
    where = "" if holder.host == socket.gethostname() else f" on {holder.host}"
    return UserError(
        f"{holder.stage} is already running in {folder}: {who}",
        f"Wait for it, or stop it{where}: kill {holder.pid}; nothing needs to be deleted.",
    )


def _myself(stage: str) -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = str(os.getuid())
    return Holder(
        socket.gethostname(), os.getpid(), user, datetime.now().astimezone().isoformat(timespec="minutes"), stage
    )


@functools.cache  # one warning, for any number of folders
def _say_there_are_none(reason: str) -> None:
    logger.warning(f"no file can be locked here ({reason}): do not run a stage twice at the same time")


_held: set[BinaryIO] = set()


def _let_go() -> None:
    """Close the locked files in a forked child: it shares the locks of its parent, and could outlive it."""
    for file in _held:
        file.close()
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
