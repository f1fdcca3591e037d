"""Label maps of other tools: index PNGs and .npy arrays as masks of the eight classes. Reads both, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import stamp
from pipeline.errors import UserError
from pipeline.image_files import BROKEN
from pipeline.labelers.tables import UNKNOWN

SUFFIXES = (".png", ".npy")
ASPECT_TOLERANCE = 0.02  # a resized label map may be this far from the image's shape, by rounding


def read_label_map(path: Path) -> np.ndarray:
    """[h, w] of some integer type: an 8- or 16-bit index or greyscale PNG, or a two-dimensional .npy of integers.

    Raises UserError for a file that is missing, truncated, or no label map (a colour picture, several channels).
    """
    try:
        if path.suffix == ".npy":
            values = np.asarray(np.load(path, allow_pickle=False))
        else:
            with Image.open(path) as image:
                values = np.asarray(image)
    except BROKEN as error:
        raise UserError(f"mask {path} cannot be read: {error}", "Write it again with the tool that made it.") from error
    if values.ndim != 2 or values.dtype.kind not in "uib":
        raise UserError(
            f"mask {path} is no label map but {values.dtype} of shape {values.shape}",
            "Give one integer per pixel: an indexed or greyscale PNG, or a two-dimensional .npy of integers.",
        )
    return values


def to_parts(values: np.ndarray, lookup: np.ndarray, path: Path, table: str) -> np.ndarray:
    """Label values [h, w] -> part ids uint8 [h, w]. Raises UserError naming a value that the table does not know."""
    inside = np.clip(values, 0, len(lookup) - 1).astype(np.intp)
    parts = np.where(inside == values, lookup[inside], UNKNOWN)
    if (parts == UNKNOWN).any():
        value = values[parts == UNKNOWN][0]
        raise UserError(
            f"mask {path} holds the value {value}, which class table {table} does not know",
            "Choose the table of the tool that made it, or write your own: --set masks.options.table=mine.csv",
        )
    return parts.astype(np.uint8)


def fit(parts: np.ndarray, image: np.ndarray, path: Path) -> np.ndarray:
    """The mask at the image's size: as it is, or resized to the nearest pixel where the shapes agree.

    parts: [h', w'] uint8; image: [h, w, 3]. Raises UserError when the aspect ratios differ by more than 2 %.
    """
    (mask_h, mask_w), (height, width) = parts.shape, image.shape[:2]
    if (mask_h, mask_w) == (height, width):
        return parts
    if abs(mask_h * width / (mask_w * height) - 1) > ASPECT_TOLERANCE:
        raise UserError(
            f"mask {path} is {mask_w}x{mask_h} pixels and its image {width}x{height}: another shape",
            "Make the masks from the same images, uncropped.",
        )
    return np.asarray(Image.fromarray(parts).resize((width, height), Image.Resampling.NEAREST))


def listing_digest(root: Path, files: Iterable[Path]) -> str:
    """sha256 over path, size and time of writing of the files that exist: cheap, and different after any change."""
    listing = []
    for path in files:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
        status = path.stat()
        listing.append([name, status.st_size, status.st_mtime_ns])
    return stamp.digest_json(listing)
