"""Table of the digests of many files, kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

Key = tuple[int, int, int, int]  # bytes, time of writing in ns, time of change in ns, inode

UNUSED = 90  # days after which a digest, or a cached file, is removed
RENEWED = 30  # days after which a digest that is asked for is written again as used
FORM = b"sorn digests 1\n"
ROW = 76  # bytes of a file


@dataclass(frozen=True)
class DigestTable:
    """Digests of N files, sorted by place.

    place: uint64 [N], of `place_of`. key: int64 [N, 4], see Key. digest: uint8 [N, 32]. day: uint32 [N], the day since
    1970 when it was last asked for.
    """

    place: np.ndarray
    key: np.ndarray
    digest: np.ndarray
    day: np.ndarray

    @classmethod
    def of(cls, place: np.ndarray, key: np.ndarray, digest: np.ndarray) -> DigestTable:
        """Table of digests computed today. The arguments are columns in any order."""
        order = np.unique(place, return_index=True)[1]
        return cls(place[order], key[order], digest[order], np.full(len(order), today(), np.uint32))

    @classmethod
    def of_entries(cls, entries: dict[int, tuple[Key, bytes]]) -> DigestTable:
        """Table of single files, computed today.

        entries: place of a file -> its key and digest.
        """
        count = len(entries)
        key = np.array([key for key, _ in entries.values()], np.int64).reshape(count, 4)
        digest = np.frombuffer(b"".join(digest for _, digest in entries.values()), np.uint8).reshape(count, 32)
        return cls.of(np.fromiter(entries, np.uint64, count), key, digest)

    def __len__(self) -> int:
        return len(self.place)

    def rows(self, places: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Rows of files, int [n]; -1 for one that is missing.

        A file with another key is missing too. places: uint64 [n]. keys: int64 [n, 4].
        """
        if not len(self):
            return np.full(len(places), -1)
        rows = np.searchsorted(self.place, places).clip(max=len(self) - 1)
        known = (self.place[rows] == places) & (self.key[rows] == keys).all(axis=1)
        return np.where(known, rows, -1)

    def use(self, rows: np.ndarray) -> bool:
        """Record of a use of some rows today.

        Returns whether that has to be written.
        """
        old = bool((self.day[rows] + RENEWED < today()).any())
        self.day[rows] = today()
        return old

    def part(self, rows: np.ndarray) -> DigestTable:
        return DigestTable(*(getattr(self, field.name)[rows] for field in fields(self)))

    def over(self, older: DigestTable) -> DigestTable:
        """Both tables in one. Where both have a file, this one counts."""
        if not len(self) or not len(older):
            return self if len(self) else older
        order = np.unique(np.concatenate([self.place, older.place]), return_index=True)[1]
        pairs = ((getattr(self, field.name), getattr(older, field.name)) for field in fields(self))
        return DigestTable(*(np.concatenate(pair)[order] for pair in pairs))  # one column after the other: less memory


def place_of(path: str) -> int:
    """Number of a path.

    Of two paths with one number, one is forgotten.
    """
    return int.from_bytes(hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=8).digest(), "little")


def read_table(path: Path) -> DigestTable:
    """Content of a file of digests; empty if missing or damaged."""
    try:
        os.utime(path)  # so that `remove_unused` sees that it is used
        content = path.read_bytes()
    except OSError:
        content = b""
    start = len(FORM) + hashlib.sha256().digest_size
    body = memoryview(content)[start:]
    if not content.startswith(FORM) or content[len(FORM) : start] != hashlib.sha256(body).digest():
        return NOTHING
    count = len(body) // ROW
    place, key, digest, day = (
        np.frombuffer(body, kind, count * width, offset * count)
        for kind, width, offset in ((np.uint64, 1, 0), (np.int64, 4, 8), (np.uint8, 32, 40), (np.uint32, 1, 72))
    )
    # A copy, because every search would copy places that are not aligned.
    return DigestTable(place.copy(), key.reshape(count, 4), digest.reshape(count, 32), day.copy())


def write_table(path: Path, table: DigestTable) -> None:
    """File of digests, without those that were not used lately. Raises OSError."""
    used = table.day + UNUSED >= today()
    kept = table if used.all() else table.part(used)
    columns = [np.ascontiguousarray(column).data for column in (kept.place, kept.key, kept.digest, kept.day)]
    checksum = hashlib.sha256()
    for column in columns:
        checksum.update(column)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")  # several processes may write at a time
    try:
        with open(temporary, "wb") as file:
            file.writelines([FORM, checksum.digest(), *columns])
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unused(folder: Path) -> None:
    """Removal of the files that were not used lately."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process removes them too
            if time.time() - path.stat().st_mtime > UNUSED * 24 * 3600:
                path.unlink()


def today() -> int:
    """Days since 1970."""
    return int(time.time() // (24 * 3600))


NOTHING = DigestTable.of_entries({})
