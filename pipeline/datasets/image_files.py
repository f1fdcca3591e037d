"""Image files: sizes, digests, and whether they can be decoded.

Reads images, in parallel; writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from pipeline.datasets.records import Finding, ImageFile
from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.io.images import (
    BROKEN,
    SIDEWAYS,
    open_image,
    orientation,
    read_content,
    read_rgb,
    require_file,
    unreadable,
)
from pipeline.runtime.prefetch import ahead
from pipeline.runtime.progress import progress

Result = TypeVar("Result")


def read_file(path: Path) -> ImageFile:
    """File record of an image that is read and decoded completely.

    It is decoded as `pipeline.io.images.decode` does. Raises UserError for an image that `decode` refuses.
    """
    try:
        status = require_file(path)  # before the bytes: if they change in between, they are read again
        content = read_content(path)
        height, width, _ = read_rgb(content).shape
    except BROKEN as error:
        raise unreadable(path, error) from error
    return ImageFile(len(content), status.st_mtime_ns, hashlib.sha256(content).hexdigest(), width, height)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of an image from its header, in pixels.

    They are those of `read_file`: of the image turned as its orientation tag says. Raises UserError where the header
    shows no usable image.
    """
    try:
        require_file(path)
        with open_image(path) as image:
            width, height = image.size
            return (height, width) if orientation(image) in SIDEWAYS else (width, height)
    except BROKEN as error:
        raise unreadable(path, error) from error


def read_digest(path: Path) -> str:
    """Digest of a file, hexadecimal.

    Raises UserError for a file that cannot be read.
    """
    try:
        return digest_file(path)
    except OSError as error:
        raise unreadable(path, error) from error


def file_length(path: Path) -> int:
    """Bytes of a file; -1 if it has gone."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def read_all(
    read: Callable[[Path], Result], paths: Sequence[str], label: str, workers: int
) -> Generator[Result | UserError, None, None]:
    """Result of `read` for each file, in order, with progress.

    A file that cannot be read gives its error instead. Close the generator (`closing`) where the loop may end early.
    """

    def attempt(path: str) -> Result | UserError:
        try:
            return read(Path(path))
        except UserError as error:
            return error

    # Threads are enough: Pillow and hashlib leave the interpreter lock while they work.
    with closing(ahead(attempt, ((path,) for path in paths), max(1, workers))) as results:
        yield from progress(results, len(paths), label)


def broken_files(errors: Sequence[UserError]) -> list[Finding]:
    """One finding for all files that could not be read."""
    if not errors:
        return []
    more = f" (and {len(errors) - 1:,} more files)" if len(errors) > 1 else ""
    return [Finding("error", errors[0].wrong + more, errors[0].remedy)]
