"""One process at a time in a stage's folder: reads and writes its file .lock, which says who is at work there.

What counts is the operating system's lock on the file (flock), not the file: the lock goes with its process, however
that ends, so that nobody ever has to delete anything. The file stays when the work is done, empty. If it were removed,
one process could get the lock of the file that went, and the next that of a new one. `sorn clean` does take it away,
with the folder; whoever has locked a file that is gone notices and starts over.
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
WHILE_WRITING = 0.1  # s that a process which has just got the lock is given to say who it is


@dataclass(frozen=True)
class Holder:
    """Who is at work: one line of JSON in the file. since: ISO 8601 with the offset from UTC."""

    host: str
    pid: int
    user: str
    since: str
    stage: str


@contextlib.contextmanager
def held(folder: Path, stage: str) -> Iterator[None]:
    """Hold the folder, made where it is missing, while `stage` works in it.

    Raises UserError naming the process that holds it already. Where there are no locks (some network file systems,
    Windows) the work goes on without.
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
        if file in _held:  # it is not in a child that comes here
            _held.remove(file)
            with file:
                file.truncate(0)


def _locked(folder: Path, stage: str) -> BinaryIO:
    """The folder's file, open, and locked where there are locks. Raises UserError when another process has it."""
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
        wrong = f"another process holds {folder}, and {LOCK} does not say which one"
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


@functools.cache  # once, however many folders a command holds
def _say_there_are_none(reason: str) -> None:
    logger.warning(f"no file can be locked here ({reason}): see to it that no stage runs twice at a time")


_held: set[BinaryIO] = set()


def _let_go() -> None:
    """In a forked child, as loaders have them: it shares its parent's locks, and could outlive the parent."""
    for file in _held:
        file.close()
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
