"""Label maps of other tools as part masks.

Reads index PNGs and .npy arrays; writes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.class_tables import HANDS, UNKNOWN, load_table
from pipeline.errors import UserError
from pipeline.io.files import digest_json
from pipeline.io.images import BROKEN, MAX_PIXELS, open_image, read_content, require_file

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SUFFIXES = (".png", ".npy")
EXACT_TABLE = "sorn8"  # masks beside the images have the ids of sorn.parts
ASPECT_TOLERANCE = 0.02  # a resized label map may be this far from the image's shape, by rounding


def read_label_map(path: Path) -> np.ndarray:
    """Label map [h, w] of an integer type.

    The file is an 8- or 16-bit index or greyscale PNG, or a two-dimensional .npy of integers. Raises UserError for a
    file that is missing, truncated, or no label map (a colour picture, several channels).
    """
    try:
        values = _read_array(path) if path.suffix == ".npy" else _read_png(read_content(path))
    except BROKEN as error:
        raise UserError(f"mask {path} cannot be read: {error}", "Write it again with the tool that made it.") from error
    if values.ndim != 2 or values.dtype.kind not in "uib" or not values.size:
        raise UserError(
            f"mask {path} is no label map but {values.dtype} of shape {values.shape}",
            "Give one integer per pixel: an indexed or greyscale PNG, or a two-dimensional .npy of integers.",
        )
    return values


def _read_png(content: bytes) -> np.ndarray:
    with open_image(io.BytesIO(content), formats=("PNG",)) as image:
        image.load()
        values = np.asarray(image)
    bits, colour = content[24:26]  # of the header chunk, which comes first in every PNG
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
        raise ValueError("it is an archive of arrays")
    if values.size > MAX_PIXELS:
        raise ValueError(f"it has {values.size:,} values, more than {MAX_PIXELS:,}")
    return np.array(values)


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


def to_parts(values: np.ndarray, lookup: np.ndarray, path: Path, table: str) -> np.ndarray:
    """Part mask of a label map: values [h, w] -> part ids uint8 [h, w].

    Raises UserError naming a value that is not in the table, and for true and false where the table has more than two
    classes.
    """
    if values.dtype == bool and len(lookup) > 2:
        other = path.with_name(f"{path.stem}_seg{path.suffix}")  # as Sapiens names them
        beside = f" {other.name} beside it may hold them." if other.is_file() else ""
        raise UserError(
            f"mask {path} holds true and false, not the class ids of table {table}",
            f"Give the label maps, not the outlines of the people.{beside}",
        )
    inside = np.clip(values, 0, len(lookup) - 1).astype(np.intp)
    parts = np.where(inside == values, lookup[inside], UNKNOWN)
    if (parts == UNKNOWN).any():
        value = values[parts == UNKNOWN][0]
        raise UserError(
            f"mask {path} holds the value {value}, which class table {table} does not know",
            "Choose the table of the tool that made it, or write your own: --set masks.options.table=mine.csv",
        )
    return parts.astype(np.uint8)


def exact_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Ground-truth mask beside an image, part ids uint8 [h, w].

    The file holds the eight classes. size: (h, w) of the image. Raises UserError as `read_label_map`, `to_parts` and
    `fit` do.
    """
    lookup = load_table(EXACT_TABLE, next(iter(HANDS)))
    return fit(to_parts(read_label_map(path), lookup, path, EXACT_TABLE), size, path)


def fit(parts: np.ndarray, size: tuple[int, int], path: Path) -> np.ndarray:
    """Mask at the size of its image.

    A mask of another size with the same aspect ratio is resized to the nearest pixel. parts: [h', w'] uint8. size: (h,
    w). Raises UserError when the aspect ratios differ by more than 2 % and by more than one pixel of the mask: a
    network of stride 8 gives a map of 3x7 for an image of 21x53.
    """
    (mask_h, mask_w), (height, width) = parts.shape, size
    if (mask_h, mask_w) == (height, width):
        return parts
    if abs(mask_h * width / (mask_w * height) - 1) > ASPECT_TOLERANCE and not _within_a_pixel(parts.shape, size):
        raise UserError(
            f"mask {path} is {mask_w}x{mask_h} pixels and its image {width}x{height}: another shape",
            "Make the masks from the same images, uncropped.",
        )
    return np.asarray(Image.fromarray(parts).resize((width, height), Image.Resampling.NEAREST))


def _within_a_pixel(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether some scale takes the size to the shape, if both sides of that may be one more or less."""
    least = max((side - 1) / full for side, full in zip(shape, size, strict=True))
    most = min((side + 1) / full for side, full in zip(shape, size, strict=True))
    return least <= most


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
