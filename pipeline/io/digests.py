"""Digests of files, remembered while the files stay as they are.

Content decides what is fresh. Times only spare reading a file again: a digest is remembered with the size, the times of
writing and of change and the inode of the file. A program can set the time of writing, but not the time of change. A
file that changed a moment ago is not remembered, since a file system may give a later change the same time.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import stat
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.io.cache import cache_folder
from pipeline.io.digest_column import DigestColumn
from pipeline.io.digest_table import NOTHING, DigestTable, Key, place_of, read_table, remove_unused, write_table
from pipeline.io.texts import BLOCK, first_equal_number
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import progress

SETTLED = 2.0  # seconds since the change of a file; FAT has the coarsest times
MISSING = "missing"  # in place of the digest of a file that cannot be read
READERS = 8  # threads: hashlib leaves the interpreter lock, and a network file system answers several at a time
PIECE = 64  # files that a thread reads at a time
FEW = 1000  # recent digests, beside a share of the table
MANY = 2000  # unread files from which on their reading is shown


class ContentDigest(str):
    """Digest of the contents of files.

    former: gives the digest over sizes and times of writing, of the files as they are now.
    """

    former: Callable[[], str]

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """A copy is the plain digest."""
        return str, (str(self),)

    def agrees(self, stored: object) -> bool:
        """Whether the stored digest is of the same files."""
        return stored == str(self) or stored == self.former()

    def __new__(cls, digest: str, former: Callable[[], str]) -> ContentDigest:
        made = super().__new__(cls, digest)
        made.former = functools.cache(former)
        return made


class FilePlace(str):
    """Path of files whose contents count: another place changes nothing."""

    def agrees(self, stored: object) -> bool:
        """Whether the stored value is a path too."""
        return isinstance(stored, str)


class DigestStore:
    """Computed digests, in memory and, with a path, in a file.

    table: those of the file and of this process. recent: place of a file -> its key and digest, of files that were read
    since; they are taken into the table when they are many.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.table = NOTHING if path is None else read_table(path)
        self._read = self._state()  # after reading, which notes the use of the file in its time
        self.recent: dict[int, tuple[Key, bytes]] = {}
        self._changed = False
        self._lock = threading.Lock()

    def _state(self) -> Key | None:
        return None if self.path is None else _key_or_none(str(self.path))

    def find(self, path: str, key: Key) -> str | None:
        """Known digest of a file with this key."""
        place = place_of(path)
        recent = self.recent.get(place)
        if recent is not None:
            return recent[1].hex() if recent[0] == key else None
        found, (row,) = self.find_all(np.array([place], np.uint64), np.array([key], np.int64))
        return found[0].tobytes().hex() if row else None

    def find_all(self, places: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Digests in the table, uint8 [n, 32], and which of them are known, bool [n].

        places: uint64 [n]. keys: int64 [n, 4].
        """
        table = self.table
        rows = table.rows(places, keys)
        known = rows >= 0
        digests = np.zeros((len(rows), 32), np.uint8)
        digests[known] = table.digest[rows[known]]
        self._changed |= table.use(rows[known])
        return digests, known

    def add(self, path: str, key: Key, digest: bytes) -> None:
        """Entry for one file that was read."""
        with self._lock:
            self.recent[place_of(path)] = (key, digest)
            many = len(self.recent) > FEW + len(self.table) // 8
        if many:
            self.settle()

    def settle(self) -> None:
        """Move of the recent digests into the table."""
        with self._lock:
            recent, self.recent = self.recent, {}
            self._take(DigestTable.of_entries(recent))

    def add_all(self, places: np.ndarray, keys: np.ndarray, digests: np.ndarray) -> None:
        """Entries for n files that were read.

        places: uint64 [n]. keys: int64 [n, 4]. digests: uint8 [n, 32].
        """
        with self._lock:
            self._take(DigestTable.of(places, keys, digests))

    def _take(self, newer: DigestTable) -> None:
        if len(newer):
            self.table = newer.over(self.table)
            self._changed = True

    def save(self) -> None:
        """Writing of the file, where possible: it only spares work."""
        self.settle()
        if self.path is None or not self._changed:
            return
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._state() != self._read:  # another process has written it
                self.table = self.table.over(read_table(self.path))
            write_table(self.path, self.table)
            self._read, self._changed = self._state(), False
            remove_unused(self.path.parent)


FOLDER = "digests"  # in the cache
_in_use = DigestStore()
_stores: dict[Path, DigestStore] = {}


@contextlib.contextmanager
def remembered(name: str) -> Iterator[None]:
    """Context in which digests are remembered for other processes.

    name: of a file in the user's cache. Without a folder for caches they are remembered in memory only.
    """
    global _in_use
    cache = cache_folder()
    path = None if cache is None else cache / FOLDER / name
    outer = _in_use
    if path is None or outer.path == path:
        yield
        return
    if path not in _stores:
        _stores[path] = DigestStore(path)
    _in_use = _stores[path]
    try:
        yield
    finally:
        _in_use.save()
        _in_use = outer


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal.

    The file is not read again while it stays as it is. Raises OSError.
    """
    name = os.path.abspath(path)
    key = _key(name)
    known = _in_use.find(name, key)
    if known is not None:
        return known
    digest, lasting = hash_file(name, key)
    if lasting:
        _in_use.add(name, key, digest)
    return digest.hex()


def hash_file(path: str, key: Key) -> tuple[bytes, bool]:
    """sha256 of a file, and whether it may be kept. Raises OSError."""
    start = time.time()
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return digest, _key(path) == key and start - key[2] / 1e9 > SETTLED


def digest_files(paths: Sequence[str]) -> DigestColumn:
    """sha256 of each file; MISSING for one that cannot be read."""
    _in_use.settle()
    count = len(paths)
    digests, there = np.zeros((count, 32), np.uint8), np.zeros(count, bool)
    unread, unread_places = array("q"), array("Q")
    for first in range(0, count, BLOCK):
        names = [_absolute(path) for path in paths[first : first + BLOCK]]
        keys = [_key_or_none(name) for name in names]
        chosen = [row for row, key in enumerate(keys) if key]
        places = np.fromiter((place_of(names[row]) for row in chosen), np.uint64, len(chosen))
        numbers = np.array([keys[row] for row in chosen], np.int64).reshape(len(chosen), 4)
        found, known = _in_use.find_all(places, numbers)
        rows = first + np.array(chosen, np.int64)
        digests[rows], there[rows] = found, known
        unread.extend(rows[~known].tolist())
        unread_places.extend(places[~known].tolist())
    if unread:
        rows, firsts = np.array(unread), first_equal_number(np.array(unread_places))
        own = firsts == np.arange(len(rows))  # a list may name a file several times
        read, good = _read_all(paths, rows[own])
        numbers_of_read = (own.cumsum() - 1)[firsts]
        digests[rows], there[rows] = read[numbers_of_read], good[numbers_of_read]
    return DigestColumn.of_bytes(digests, there, MISSING)


def _read_all(paths: Sequence[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Digests of the files at n positions, uint8 [n, 32], and which can be read, bool [n]. They are remembered."""
    count = len(rows)
    digests, places, keys = np.zeros((count, 32), np.uint8), np.zeros(count, np.uint64), np.zeros((count, 4), np.int64)
    good, lasting = np.zeros(count, bool), np.zeros(count, bool)
    pieces = ((paths, rows[first : first + PIECE].tolist()) for first in range(0, count, PIECE))
    try:
        with contextlib.closing(ahead(_read_files, pieces, READERS)) as read:
            found = chain.from_iterable(read)
            for number, file in enumerate(progress(found, count, "reading", "files") if count >= MANY else found):
                if file is not None:
                    digests[number] = np.frombuffer(file.digest, np.uint8)
                    places[number], keys[number], lasting[number] = file.place, file.key, file.lasting
                    good[number] = True
    finally:  # what was read before an interruption need not be read again
        _in_use.add_all(places[lasting], keys[lasting], digests[lasting])
    return digests, good


class _ReadFile(NamedTuple):
    """File that was read. lasting: whether its digest may be remembered."""

    place: int
    key: Key
    digest: bytes
    lasting: bool


def _read_files(paths: Sequence[str], rows: Sequence[int]) -> list[_ReadFile | None]:
    """Some files; None for one that cannot be read."""
    return [_read_file(_absolute(paths[row])) for row in rows]


def _read_file(name: str) -> _ReadFile | None:
    try:
        key = _key(name)
        return _ReadFile(place_of(name), key, *hash_file(name, key))
    except OSError:
        return None


def _absolute(path: str) -> str:
    return path if os.path.isabs(path) else os.path.abspath(path)


def _key(path: str) -> Key:
    try:
        status = os.stat(path)
    except ValueError as error:  # it has a NUL byte, or what no file system can spell
        raise FileNotFoundError(errno.ENOENT, str(error), path) from error
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
        raise OSError(errno.EINVAL, "it is no ordinary file", path)
    inode = status.st_ino if status.st_ino < 2**63 else status.st_ino - 2**64  # as 64 bits with a sign
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode


def _key_or_none(path: str) -> Key | None:
    try:
        return _key(path)
    except OSError:
        return None
