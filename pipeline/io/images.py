"""Pixels: image files as arrays, and images and masks at the size of the shards. Reads images, writes nothing.

What an image is, is decided here for every stage: `read_rgb` reads the pixels that the data stage accepts and those
that the masks stage labels.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import UserError

# What Pillow raises for bytes that are no image, or not all of one; struct errors and others are subclasses or wrapped.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

# The formats that people keep photographs in. Pillow knows more, and runs another program for some (PostScript).
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
MAX_PIXELS = 89_478_485  # 256 MB as RGB, Pillow's own level of warning; crops of people are a thousand times smaller
MAX_BYTES = 2**30  # of a file: more than MAX_PIXELS take in any of these formats, uncompressed and with 16 bits
ORIENTATION = 274  # the tag's number in EXIF
SIDEWAYS = (5, 6, 7, 8)  # tags that exchange width and height; then rows, columns or both are read backwards
UPSIDE_DOWN, MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")

# Pillow warns of large images, which are refused here, and of damaged metadata, which does not touch the pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(path: Path) -> np.ndarray | None:
    """An image as [h, w, 3] uint8 RGB, as `read_rgb` says; None where that refuses the file."""
    try:
        return read_rgb(read_content(path))
    except BROKEN:
        return None


def read_rgb(content: bytes) -> np.ndarray:
    """The bytes of an image file -> [h, w, 3] uint8 RGB. Raises one of BROKEN, with the reason in words.

    A picture is turned as its orientation tag says, as viewers and OpenCV show it. Colour profiles are ignored, as
    re-ID tools do; so is transparency: a pixel has the colour that is stored. Of several frames or pages the first
    counts. 16 bits are cut to their upper 8, for grey as Pillow does for colour. Numbers without a known white (32-bit
    integers, floating point) are refused.
    """
    with open_image(io.BytesIO(content)) as image:
        image.load()
        if image.mode in SIXTEEN_BITS or image.mode == "I":
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            return turned(np.repeat(grey[:, :, None], 3, axis=2), orientation(image))
        image.info.pop("transparency", None)  # of a palette: convert would warn
        return turned(np.asarray(image if image.mode == "RGB" else image.convert("RGB")), orientation(image))


def orientation(image: Image.Image) -> int:
    """The orientation tag, 1 to 8; 1, as it is stored, where there is none or a damaged one, and for a TIFF: Pillow
    turns that itself.
    """
    if image.format == "TIFF":
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata raises anything, and does not touch the pixels
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def turned(pixels: np.ndarray, tag: int) -> np.ndarray:
    """[h, w, 3] as stored -> as it is to be shown."""
    if tag == 1:
        return pixels
    if tag in SIDEWAYS:
        pixels = pixels.transpose(1, 0, 2)
    rows, columns = (-1 if tag in tags else 1 for tags in (UPSIDE_DOWN, MIRRORED))
    return np.ascontiguousarray(pixels[::rows, ::columns])


def read_content(path: Path) -> bytes:
    """The bytes of an ordinary file of at most MAX_BYTES. Raises OSError, with the reason in words."""
    require_file(path)
    return path.read_bytes()


def require_file(path: Path) -> os.stat_result:
    """The state of an ordinary file. Raises OSError for what cannot be read whole: a folder, a pipe, a huge file."""
    if path.is_symlink() and not path.exists():
        raise OSError("it is a link to a file that does not exist")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no ordinary file")
    if status.st_size == 0:
        raise OSError("it is empty")
    if status.st_size > MAX_BYTES:
        raise OSError(f"it has {status.st_size:,} bytes, more than {MAX_BYTES:,}")
    return status


def open_image(source: Path | io.BytesIO, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """An image whose header is read and whose pixels are not. Raises one of BROKEN for one that `read_rgb` refuses."""
    try:
        image = Image.open(source, formats=formats)
    except Image.UnidentifiedImageError as error:
        raise OSError(f"it is no {' or '.join(formats)} file") from error
    refusal = _refusal(image)
    if refusal:
        image.close()
        raise ValueError(refusal)
    return image


def _refusal(image: Image.Image) -> str:
    """Why an image cannot be used, as its header shows; "" if it can."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"it has {width} x {height} pixels, more than {MAX_PIXELS:,}"
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):  # theirs have 16 bits
        return f"its pixels are 32-bit numbers (mode {image.mode}) without a known white"
    return ""


def unreadable(path: Path, error: Exception) -> UserError:
    """What to tell of a file for which one of BROKEN was raised."""
    reason = str(error).replace(f": {str(path)!r}", "")
    if isinstance(error, PermissionError):
        return UserError(f"{path} cannot be read as an image: {reason}", "See that you may read it.")
    remedy = "Copy this file again from where you have it, or save it as an 8-bit JPEG or PNG."
    return UserError(f"{path} cannot be read as an image: {reason}", remedy)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[h, w, 3] uint8 -> [H, W, 3] uint8, bilinear; smaller sizes average over all pixels (antialias)."""
    height, width = size
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[h, w] uint8 -> [H, W] uint8: the class at the place of each new pixel's centre.

    Taking the class of the largest area instead costs 15 ms per image, and training reduces masks by a majority over
    blocks of these pixels anyway.
    """
    height, width = size
    if mask.shape == size:
        return mask
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
