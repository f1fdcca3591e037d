"""Index of a run's shards: files, contents, and pids as labels.

Reads and writes index.json. The index is written after all shards, so a folder without it is unfinished.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.io.documents import from_json, to_json
from pipeline.io.files import digest_file, write_json
from pipeline.io.text import read_json
from pipeline.runs.made_by import MadeBy
from pipeline.shards.format import REMEDY, SCHEMA_VERSION, ShardReader
from sorn.parts import CLASSES


@dataclass(frozen=True)
class ShardEntry:
    """One shard in the index.

    file: relative to the index. digest: of its content. sha256: of the file.
    """

    file: str
    split: str
    count: int
    digest: str
    sha256: str


@dataclass(frozen=True)
class SplitEntry:
    """One split in the index.

    digest, detection_digest: of its content, and of people, boxes and keypoints; independent of the shard boundaries.
    status: name -> number of images.
    """

    count: int
    digest: str
    detection_digest: str
    status: dict[str, int]
    foreground_share: float


@dataclass(frozen=True)
class ShardIndex:
    """Content of masks/index.json.

    pids: sorted identities of the training split; the position of a pid is its label. labels: fingerprint in the
    shards, "" where it is that of the index: without marks and mended masks, which write single shards again.
    """

    fingerprint: str
    labeler: MadeBy
    pose: MadeBy | None
    image_size: tuple[int, int]
    pids: tuple[int, ...]
    splits: dict[str, SplitEntry]
    shards: tuple[ShardEntry, ...]
    classes: tuple[str, ...] = CLASSES
    schema_version: int = SCHEMA_VERSION
    labels: str = ""

    @property
    def shard_fingerprint(self) -> str:
        """Fingerprint in the shards."""
        return self.labels or self.fingerprint


def write_index(path: Path, index: ShardIndex) -> None:
    write_json(path, to_json(index), sort_keys=True)


def read_index(path: Path) -> ShardIndex:
    """Index of a run's shards.

    Raises UserError for a file that is missing, no index, or of another schema version.
    """
    try:
        table = read_json(path)
        version = table["schema_version"]
        if version != SCHEMA_VERSION:
            raise UserError(f"{path} is of schema version {version}, this program of {SCHEMA_VERSION}", REMEDY)
        return from_json(ShardIndex, table)
    except FileNotFoundError as error:
        raise UserError(f"there are no shards: {path} is missing", REMEDY) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not an index of shards: {reason(error)}", REMEDY) from error


def summary(index: ShardIndex) -> str:
    """Content of the shards, on one screen."""
    height, width = index.image_size
    people = f"{len(index.pids)} training pids"
    lines = [f"images of {height}x{width}, labelled by {index.labeler.name}, {people}"]
    for split, entry in index.splits.items():
        status = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(entry.status.items()))
        share = f"; {entry.foreground_share:.0%} of their pixels show the person" if entry.foreground_share else ""
        lines.append(f"  {split:12} {entry.count:8,} images: {status}{share}")
    return "\n".join(lines)


def open_shards(path: Path, split: str) -> tuple[ShardIndex, list[ShardReader]]:
    """Index and readers of one split's shards, in order.

    The shards are checked against the index. Raises UserError for a split that is not stored, and for a shard that
    another run or another labeler wrote.
    """
    index = read_index(path)
    if split not in index.splits:
        raise UserError(f"{path} holds no split '{split}'", f"It holds: {', '.join(index.splits)}.")
    entries = [entry for entry in index.shards if entry.split == split]
    readers = [ShardReader(path.parent / entry.file) for entry in entries]
    for entry, reader in zip(entries, readers, strict=True):
        if reader.labeler != index.labeler:
            stored, indexed = (json.dumps(to_json(made), sort_keys=True) for made in (reader.labeler, index.labeler))
            raise UserError(f"shard {reader.path} was labelled by {stored}, the index has {indexed}", REMEDY)
        found = (reader.fingerprint, reader.content_digest, len(reader), reader.image_size)
        if found != (index.shard_fingerprint, entry.digest, entry.count, index.image_size):
            raise UserError(f"shard {reader.path} is not the one that {path.name} names: another run wrote it", REMEDY)
    return index, readers


def verify_shards(path: Path) -> None:
    """Comparison of every shard's bytes with the sha256 in the index.

    Raises UserError naming the first shard that differs.
    """
    for entry in read_index(path).shards:
        file = path.parent / entry.file
        if not file.is_file() or digest_file(file) != entry.sha256:
            raise UserError(f"shard {file} is missing or was changed after it was written", REMEDY)
