"""Files: written whole or not at all, and their digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.io.digests import digest_file

__all__ = [
    "TEMPORARY",
    "atomic",
    "digest_file",
    "digest_json",
    "publish",
    "temporary_path",
    "write_json",
    "write_text",
]

TEMPORARY = ".tmp"  # behind the name of a file that is being written, or whose writer was killed


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Context with a temporary path, renamed to `path` at its end.

    The file is flushed to the disk before the rename. If the block raises, or the process is killed, `path` is
    unchanged. A missing folder is made. Raises OSError where the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Path of an unfinished file, beside `path`."""
    return path.with_name(path.name + TEMPORARY)


def publish(temporary: Path, path: Path) -> None:
    """Rename of a finished file to `path`, flushed to the disk."""
    with open(temporary, "rb") as written:
        os.fsync(written.fileno())
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Text file, UTF-8 with LF line ends, written atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any, **options: Any) -> None:
    """JSON file with an indent of 1, written atomically.

    options: of json.dumps.
    """
    write_text(path, json.dumps(value, indent=1, **options) + "\n")


def digest_json(value: Any) -> str:
    """sha256 of a JSON value in its one canonical spelling, hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
