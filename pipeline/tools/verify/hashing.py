"""Digests of all files of a run, computed by threads.

For a shard its content is read too.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.io import hdf5
from pipeline.io.texts import first_equal
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import Progress, progress
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardReader

BLOCK = 1 << 20  # bytes read at a time: hashing takes longer than the call, and they stay in the core's cache
MEGABYTE = 10**6
UNREAD = "See that you may read it and that its disk is connected, then verify again; it can be whole."


@dataclass(frozen=True)
class FileState:
    """State of a file on the disk.

    sha256: of its bytes. wrong: why it cannot be read; then all else but remedy is empty. remedy: for a file that
    cannot be read now, and can be whole. shard, content: of a shard. damage: why a file that could be read is no valid
    shard.
    """

    bytes: int = 0
    sha256: str = ""
    wrong: str = ""
    shard: ShardReader | None = None
    content: ShardContent | None = None
    damage: str = ""
    remedy: str = ""


def read_files(paths: Iterable[Path], shards: set[Path], threads: int) -> dict[Path, FileState]:
    """State of every file, read once.

    shards: files whose images and masks are read again, while they are still in the memory of the system.
    """
    sizes = {path: _size(path) for path in paths}
    largest_first = sorted(sizes, key=lambda path: -sizes[path])  # so that all threads finish at about the same time
    tasks = ((path, path in shards) for path in largest_first)
    seen = {}
    with (
        Progress(max(1, round(sum(sizes.values()) / MEGABYTE)), "verify", "MB") as shown,
        closing(ahead(_see, tasks, threads)) as found,
    ):
        done = 0
        for path, one in zip(largest_first, found, strict=True):
            seen[path], done = one, done + sizes[path]
            whole = round(done / MEGABYTE) - shown.done
            if whole:
                shown.advance(whole, path.name)
    return seen


@dataclass(frozen=True)
class ComparedFiles:
    """Files that were compared with their digests.

    compared, changed: number of digests, and of those that are not the ones of their files. first: the first such file.
    files, bytes: number of files and bytes that were read.
    """

    compared: int = 0
    changed: int = 0
    first: str = ""
    files: int = 0
    bytes: int = 0


def compare_files(paths: Sequence[str], digests: Sequence[str], threads: int) -> ComparedFiles:
    """Comparison of files with their sha256; each is read once."""
    first = first_equal(paths)
    own = first == np.arange(len(paths))
    tasks = ((Path(paths[number]), False) for number in np.flatnonzero(own).tolist())
    good, size = np.zeros(len(paths), bool), 0
    with closing(ahead(_see, tasks, threads)) as states:
        read = progress(states, int(own.sum()), "verify", "images")
        for number, state in zip(np.flatnonzero(own).tolist(), read, strict=True):
            good[number], size = state.sha256 == digests[number], size + state.bytes
    for number in np.flatnonzero(~own).tolist():
        good[number] = good[first[number]] and digests[number] == digests[int(first[number])]
    bad = np.flatnonzero(~good).tolist()
    return ComparedFiles(len(paths), len(bad), paths[bad[0]] if bad else "", int(own.sum()), size)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # reported when it is read
        return 0


def _see(path: Path, is_shard: bool) -> FileState:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return FileState(wrong=f"{path} is no file")
        size, digest = _digest(path)
    except FileNotFoundError:
        return FileState(wrong=f"{path} is missing")
    except OSError as error:
        return FileState(wrong=f"{path} cannot be read: {error.strerror or error}", remedy=UNREAD)
    if held := _held(path):
        return held
    if not is_shard:
        return FileState(size, digest)
    try:
        shard = ShardReader(path)
        with closing(shard):
            return FileState(size, digest, shard=shard, content=shard.verified_content())
    except UserError as error:
        return FileState(size, digest, damage=error.wrong)
    except hdf5.DAMAGE as error:
        return FileState(size, digest, damage=f"shard {path} is damaged: {error}")


def _held(path: Path) -> FileState | None:
    """State of an HDF5 file that another program has open: its bytes are those of an open file."""
    try:
        if path.suffix == ".h5":
            hdf5.opened(path).close()
    except hdf5.OutOfReach as error:
        return FileState(wrong=error.wrong, remedy=error.remedy)
    except hdf5.DAMAGE:  # found where its content is read
        return None
    return None


def _digest(path: Path) -> tuple[int, str]:
    """Size in bytes, and sha256. Reading and hashing let other threads run."""
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(BLOCK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    return size, digest.hexdigest()
