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
import json
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.io.cache import cache_folder
from pipeline.runtime.progress import progress

SETTLED = 2.0  # seconds since the change of a file; FAT has the coarsest times
MISSING = "missing"  # in place of the digest of a file that cannot be read
READERS = 8  # threads: hashlib leaves the interpreter lock, and a network file system answers several at a time
UNUSED = 90 * 24 * 3600.0  # seconds after which a cached file is removed
MANY = 2000  # unread files from which on their reading is shown

Key = tuple[int, int, int, int]  # bytes, time of writing in ns, time of change in ns, inode


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
    """Path of files whose contents are recorded as well.

    So another place alone changes nothing.
    """

    def agrees(self, stored: object) -> bool:
        """Whether the stored value is a path too."""
        return isinstance(stored, str)


@dataclass
class DigestStore:
    """Computed digests, in memory and, with a path, in a file.

    known: absolute path of a file -> its key and its sha256. new: paths computed since the file was read.
    """

    path: Path | None = None
    known: dict[str, tuple[Key, str]] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)

    def find(self, path: str, key: Key) -> str | None:
        """Known digest of a file with this key."""
        entry = self.known.get(path)
        return entry[1] if entry and entry[0] == key else None

    def compute(self, path: str, key: Key) -> str:
        """Digest of a file that is read now. Raises OSError."""
        start = time.time()
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _key(path) == key and start - key[2] / 1e9 > SETTLED:
            self.known[path] = (key, digest)
            self.new.add(path)
        return digest

    def save(self) -> None:
        """Write the file where it can be written: it only spares work."""
        if self.path is None or not self.new:
            return
        known = _read(self.path) | self.known  # another process may have written it
        there = {path: entry for path, entry in known.items() if path in self.new or os.path.lexists(path)}
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _write(self.path, there)
            self.new.clear()
            _remove_unused(self.path.parent)


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
    _in_use = _stores.setdefault(path, DigestStore(path, _read(path)))
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
    return _in_use.find(name, key) or _in_use.compute(name, key)


def digest_files(paths: Sequence[str]) -> list[str]:
    """sha256 of each file; MISSING for one that cannot be read."""
    names = [path if os.path.isabs(path) else os.path.abspath(path) for path in paths]
    keys = [_key_or_none(name) for name in names]
    found = {name: _in_use.find(name, key) if key else MISSING for name, key in zip(names, keys, strict=True)}
    unread = list(dict.fromkeys(name for name in names if found[name] is None))
    with ThreadPoolExecutor(READERS) as pool:
        digests = pool.map(_digest_or_missing, unread)
        shown = progress(digests, len(unread), "reading", "files") if len(unread) >= MANY else digests
        found |= dict(zip(unread, shown, strict=True))
    return [found[name] or MISSING for name in names]


def _digest_or_missing(name: str) -> str:
    try:
        return _in_use.compute(name, _key(name))
    except OSError:
        return MISSING


def _key(path: str) -> Key:
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
        raise OSError(errno.EINVAL, "it is no ordinary file", path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _key_or_none(path: str) -> Key | None:
    try:
        return _key(path)
    except OSError:
        return None


def _read(path: Path) -> dict[str, tuple[Key, str]]:
    """Content of a file of digests; empty where it is missing or damaged."""
    try:
        os.utime(path)  # so that `_remove_unused` sees that it is used
        checksum, _, text = path.read_text(encoding="utf-8", errors="surrogateescape").partition("\n")
        if checksum != _checksum(text):
            return {}
        return {
            f"{folder}{os.sep}{name}": ((size, written, changed, inode), digest)
            for folder, files in json.loads(text).items()
            for name, (size, written, changed, inode, digest) in files.items()
        }
    except (OSError, ValueError):
        return {}


def _write(path: Path, known: dict[str, tuple[Key, str]]) -> None:
    folders: dict[str, dict[str, list[int | str]]] = {}
    for name, (key, digest) in sorted(known.items()):
        folder, base = os.path.split(name)
        folders.setdefault(folder, {})[base] = [*key, digest]
    text = json.dumps(folders, separators=(",", ":"))
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")  # several processes may write at a time
    try:
        temporary.write_text(f"{_checksum(text)}\n{text}", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_unused(folder: Path) -> None:
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > UNUSED:
            path.unlink(missing_ok=True)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
