"""Image files as arrays, and images and masks at shard size.

All stages read images through `read_rgb`: the data stage accepts the pixels that the masks stage labels. Reads images;
writes nothing.
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.errors import UserError

# What Pillow raises for bytes that are no image, or not all of one; struct errors and others are subclasses or wrapped.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

# The usual formats of photographs. Pillow reads more, and runs another program for some (PostScript).
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG2000")
MAX_PIXELS = 89_478_485  # 256 MB as RGB, Pillow's own level of warning; crops of people are a thousand times smaller
MAX_BYTES = 2**30  # of a file: more than MAX_PIXELS take in any of these formats, uncompressed and with 16 bits
ORIENTATION = 274  # the tag's number in EXIF
SIDEWAYS = (5, 6, 7, 8)  # tags that exchange width and height; then rows, columns or both are read backwards
UPSIDE_DOWN, MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")

# First bytes of files that are met under a picture's name -> what they are.
SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x93NUMPY", "NumPy"),
    (b"version https://git-lfs", "Git LFS pointer"),  # in place of the file, until `git lfs pull`
    (b"<!doctype html", "HTML"),
    (b"<html", "HTML"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
)
BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"hevc": "HEIC", b"avif": "AVIF"}
HEAD = 32  # bytes that tell a file's kind

# Pillow warns of large images, which are refused here, and of damaged metadata, which does not touch the pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(path: Path) -> np.ndarray | None:
    """Image file as [h, w, 3] uint8 RGB; None where `read_rgb` refuses it."""
    try:
        return read_rgb(read_content(path))
    except BROKEN:
        return None


def begins_like_image(path: Path) -> bool:
    """Whether the first bytes of a file are those of an image."""
    try:
        require_file(path)
        return kind_of_file(_head(path)) in FORMATS
    except OSError:
        return False


def read_rgb(content: bytes) -> np.ndarray:
    """Decoded image: bytes of a file -> [h, w, 3] uint8 RGB.

    Raises one of BROKEN, with the reason in words. A picture is turned as its orientation tag says, as viewers and
    OpenCV show it. Colour profiles are ignored, as in other re-ID tools. Transparency is ignored: a pixel has its
    stored colour. Only the first of several frames or pages is read. 16 bits are cut to their upper 8, for grey as
    Pillow does for colour. Values without a known white (32-bit integers, floating point) are refused.
    """
    with open_image(io.BytesIO(content)) as image:
        image.load()
        if image.mode in SIXTEEN_BITS or image.mode == "I":
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            return turned(np.repeat(grey[:, :, None], 3, axis=2), orientation(image))
        image.info.pop("transparency", None)  # of a palette: convert would warn
        return turned(np.asarray(image if image.mode == "RGB" else image.convert("RGB")), orientation(image))


def orientation(image: Image.Image) -> int:
    """Orientation tag of an image, 1 to 8.

    1 (not turned) without a tag and for a damaged one. 1 for a TIFF too, because Pillow turns it itself.
    """
    if image.format == "TIFF":
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata raises anything, and does not touch the pixels
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def turned(pixels: np.ndarray, tag: int) -> np.ndarray:
    """Pixels as people see them: [h, w, 3] as stored -> turned.

    tag: 1 to 8, as in EXIF.
    """
    if tag == 1:
        return pixels
    if tag in SIDEWAYS:
        pixels = pixels.transpose(1, 0, 2)
    rows, columns = (-1 if tag in tags else 1 for tags in (UPSIDE_DOWN, MIRRORED))
    return np.ascontiguousarray(pixels[::rows, ::columns])


def read_content(path: Path) -> bytes:
    """Bytes of an ordinary file of at most MAX_BYTES.

    Raises OSError, with the reason in words.
    """
    require_file(path)
    return path.read_bytes()


def require_file(path: Path) -> os.stat_result:
    """File state (os.stat) of an ordinary file.

    Raises OSError for a folder, a pipe and a huge file, because they cannot be read whole.
    """
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
    """Image with its header read and its pixels unread.

    Raises one of BROKEN for an image that `read_rgb` refuses.
    """
    try:
        image = Image.open(source, formats=formats)
    except UnidentifiedImageError as error:
        kind = kind_of_file(_head(source))
        what = f"it is no {' or '.join(formats)} file"
        raise OSError(f"{what} but {kind}" if kind and kind not in formats else what) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"it has more than {MAX_PIXELS:,} pixels") from error
    refusal = _refusal(image)
    if refusal:
        image.close()
        raise ValueError(refusal)
    return image


def kind_of_file(content: bytes) -> str:
    """Format of a file from its first HEAD bytes; "" if unknown."""
    if content[4:8] == b"ftyp":
        return BRANDS.get(content[8:12], "a video or a picture of its kind")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for start, kind in SIGNATURES if content[: len(start)].lower() == start.lower()), "")


def _head(source: Path | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:HEAD]
    with source.open("rb") as file:
        return file.read(HEAD)


def _refusal(image: Image.Image) -> str:
    """Reason why the header shows that the image cannot be used; "" if it can."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"it has {width} x {height} pixels, more than {MAX_PIXELS:,}"
    if image.mode == "F" or (
        image.mode == "I" and image.format not in ("PNG", "PPM")
    ):  # these two formats have 16 bits
        return f"its pixels are 32-bit numbers (mode {image.mode}) without a known white"
    return ""


def unreadable(path: Path, error: Exception) -> UserError:
    """Message about a file for which one of BROKEN was raised."""
    reason = str(error).replace(f": {str(path)!r}", "")
    if isinstance(error, PermissionError):
        return UserError(f"{path} cannot be read as an image: {reason}", "See that you may read it.")
    remedy = "Copy this file again from where you have it, or save it as an 8-bit JPEG or PNG."
    return UserError(f"{path} cannot be read as an image: {reason}", remedy)


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Image resized by bilinear interpolation, [h, w, 3] uint8 -> [H, W, 3] uint8.

    Smaller sizes average over all pixels (antialias).
    """
    height, width = size
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask resized to the nearest pixel, [h, w] uint8 -> [H, W] uint8.

    A new pixel gets the class at its centre. The class of the largest area would cost 15 ms per image, and training
    reduces masks by a majority over blocks of these pixels anyway.
    """
    height, width = size
    if mask.shape == size:
        return mask
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
