"""Files read whole, by threads: the digest of each, and of a shard what it holds. Reads the files of a run."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.hdf5 import DAMAGE
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import Progress
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardReader

CHUNK = 1 << 20  # bytes read at a time: hashing them is longer than asking for them, and they stay in the core's cache
MEGABYTE = 10**6


@dataclass(frozen=True)
class FileState:
    """A file as it lies on the disk. sha256: of its bytes. wrong: why it cannot be read, and then the rest is empty.

    shard, content: of a shard; damage: why it is none, though its bytes could be read.
    """

    bytes: int = 0
    sha256: str = ""
    wrong: str = ""
    shard: ShardReader | None = None
    content: ShardContent | None = None
    damage: str = ""


def read_files(paths: Iterable[Path], shards: set[Path], threads: int) -> dict[Path, FileState]:
    """Every file once; of those in `shards` the images and masks again, while they are still in memory."""
    sizes = {path: _size(path) for path in paths}
    largest_first = sorted(sizes, key=lambda path: -sizes[path])  # so that no thread is left with one at the end
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told when it is read
        return 0


def _see(path: Path, is_shard: bool) -> FileState:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return FileState(wrong=f"{path} is no file")
        size, digest = _digest(path)
    except FileNotFoundError:
        return FileState(wrong=f"{path} is missing")
    except OSError as error:
        return FileState(wrong=f"{path} cannot be read: {error.strerror or error}")
    if not is_shard:
        return FileState(size, digest)
    try:
        shard = ShardReader(path)
        with closing(shard):
            return FileState(size, digest, shard=shard, content=shard.verified_content())
    except UserError as error:
        return FileState(size, digest, damage=error.wrong)
    except DAMAGE as error:
        return FileState(size, digest, damage=f"shard {path} is damaged: {error}")


def _digest(path: Path) -> tuple[int, str]:
    """Bytes and sha256; other threads compute while one reads or hashes."""
    digest, size, buffer = hashlib.sha256(), 0, memoryview(bytearray(CHUNK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    return size, digest.hexdigest()
