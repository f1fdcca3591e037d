"""Image files: what one is, and whether it can be decoded. Reads images; writes nothing."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image

from pipeline.errors import UserError
from pipeline.progress import progress
from pipeline.records import Finding, ImageFile, ImageRecord

Result = TypeVar("Result")

# What Pillow raises for bytes that are no image, or not all of one; struct errors and others are subclasses or wrapped.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read_file(path: Path) -> ImageFile:
    """Read and decode a whole image. Raises UserError if it is unreadable or truncated."""
    try:
        with open(path, "rb") as file:
            status, content = os.fstat(file.fileno()), file.read()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            width, height = image.size
    except BROKEN as error:
        raise _unreadable(path, error) from error
    return ImageFile(len(content), status.st_mtime_ns, hashlib.sha256(content).hexdigest(), width, height)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises UserError if there is none."""
    try:
        with Image.open(path) as image:
            return image.size
    except BROKEN as error:
        raise _unreadable(path, error) from error


def read_all(
    read: Callable[[Path], Result], records: list[ImageRecord], label: str, workers: int
) -> Iterator[Result | UserError]:
    """`read` of each record's file, in the order of the records, or what is wrong with that file. Shows progress."""

    def attempt(record: ImageRecord) -> Result | UserError:
        try:
            return read(record.path)
        except UserError as error:
            return error

    # Threads are enough: Pillow and hashlib leave the interpreter lock while they work.
    with ThreadPoolExecutor(max(1, workers)) as pool:
        yield from progress(pool.map(attempt, records), len(records), label)


def broken_files(results: Iterable[object]) -> list[Finding]:
    """One finding for all files that could not be read."""
    errors = [result for result in results if isinstance(result, UserError)]
    if not errors:
        return []
    more = f" (and {len(errors) - 1:,} more files)" if len(errors) > 1 else ""
    return [Finding("error", errors[0].wrong + more, errors[0].remedy)]


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = "it is empty" if path.is_file() and path.stat().st_size == 0 else str(error).replace(f" {str(path)!r}", "")
    return UserError(f"{path} cannot be read as an image: {reason}", "Copy this file again from where you have it.")
