"""Files of label maps and masks: their values, bits and digests.

Reads PNG, .npy and .npz; writes nothing.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.datasets.mask_values import ONE_ID, Misfit, class_ids
from pipeline.errors import UserError
from pipeline.io.files import digest_json
from pipeline.io.images import (
    BROKEN,
    MAX_BYTES,
    MAX_PIXELS,
    kind_of_file,
    open_image,
    read_content,
    require_file,
)

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SUFFIXES = (".png", ".npy", ".npz")
LOSSY = ("JPEG", "HEIC", "AVIF")  # the values are not those that were saved
OTHER_SUFFIXES = (".jpg", ".jpeg", ".bmp", ".gif", ".mat", ".tif", ".tiff", ".webp")  # of files that may be meant


def read_label_map(path: Path, channel: str = "", classes: int = 0) -> np.ndarray:
    """Label map [h, w] of an integer type or bool.

    The file is a PNG, a .npy, or a .npz of one array, with values as `class_ids` takes them. Raises UserError for a
    file that is missing, truncated, or no label map (a colour picture, scores, several classes per pixel).
    """
    try:
        return class_ids(read_values(path), channel, classes)
    except Misfit as error:
        raise UserError(f"mask {path} {error.found}", error.remedy) from error


def read_values(path: Path) -> np.ndarray:
    """Values of a mask file as they are stored.

    They have any shape and type. A transparency that is the same everywhere is left out. Raises UserError for a file
    that cannot be read, and Misfit for one whose values are not those that were saved.
    """
    readers = {".npy": _read_array, ".npz": _read_archive}
    try:
        read = readers.get(path.suffix.lower())
        return read(path) if read else _read_png(read_content(path))
    except Misfit:
        raise
    except BROKEN as error:
        raise UserError(f"mask {path} cannot be read: {error}", "Write it again with the tool that made it.") from error


def _read_png(content: bytes) -> np.ndarray:
    kind = kind_of_file(content)
    if kind in LOSSY:
        raise Misfit(f"is a {kind} file, which changes class ids when it is saved", "Save the ids as PNG or .npy.")
    with open_image(io.BytesIO(content), formats=("PNG",)) as image:
        bits, colour = content[24:26]  # of the header chunk, which comes first in every PNG
        if bits == 16 and colour:  # Pillow keeps the upper 8 bits of each channel, where ids are 0
            found = "has several channels of 16 bits each"
            raise Misfit(found, "Save the ids as a greyscale PNG of 8 or 16 bits, or as .npy.")
        image.load()
        values = np.asarray(image)
    if image.mode in ("LA", "RGBA", "PA") and np.ptp(values[..., -1]) == 0:
        values = values[..., :-1]
    if colour == 0 and bits in (2, 4):  # grey: Pillow spreads these over 0..255, but a label is what is stored
        values = values // (255 // (2**bits - 1))
    return values


def _read_array(path: Path) -> np.ndarray:
    """Memory-mapped array, so that a false size in the header is refused before any allocation."""
    require_file(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (
        Exception
    ) as error:  # a damaged header makes numpy's parser raise errors of many kinds, tokenize's among them
        reason = str(error).partition(". ")[0]  # numpy goes on to recommend loading a pickle all the same
        raise ValueError(f"it is no array: {reason}") from error
    if not isinstance(values, np.ndarray):
        raise ValueError("it is an archive of arrays; one array is read from a file whose name ends in .npz")
    return np.array(_of_pixels(values))


def _read_archive(path: Path) -> np.ndarray:
    """The one array of an archive."""
    require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            values = np.load(io.BytesIO(archive.read(_only_member(archive))), allow_pickle=False)
    except Misfit:
        raise
    except Exception as error:  # of zipfile, zlib and numpy's parser
        raise ValueError(f"it is no archive of arrays: {str(error).partition('. ')[0]}") from error
    if not isinstance(values, np.ndarray):
        raise ValueError("it holds an archive in place of an array")
    return _of_pixels(values)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one array; Misfit where there are several or it is huge."""
    members = archive.infolist()
    if len(members) != 1:
        names = ", ".join(member.filename.removesuffix(".npy") for member in members[:4])
        raise Misfit(f"holds {len(members)} arrays ({names}), and only one can be meant", ONE_ID)
    if members[0].file_size > MAX_BYTES:
        raise Misfit(f"holds an array of {members[0].file_size:,} bytes, more than {MAX_BYTES:,}", ONE_ID)
    return members[0]


def _of_pixels(values: np.ndarray) -> np.ndarray:
    """The same array; ValueError where it has more values than a picture could have."""
    if values.size > MAX_PIXELS:
        raise ValueError(f"it has {values.size:,} values, more than {MAX_PIXELS:,}")
    return values


def bits_per_pixel(path: Path) -> int:
    """Bits per pixel of an index or greyscale PNG.

    Read from the header; 0 for any other file, and for a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(26)
    except OSError:
        return 0
    usable = len(head) == 26 and head.startswith(PNG_SIGNATURE) and head[25] in (0, 3)  # colour type: grey, palette
    return head[24] if usable else 0


def listing_digest(root: Path, files: Iterable[Path]) -> str:
    """sha256 over path, size and modification time of the existing files.

    It is cheap, and it changes with any file.
    """
    listing = []
    for path in files:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
        status = path.stat()
        listing.append([name, status.st_size, status.st_mtime_ns])
    return digest_json(listing)
