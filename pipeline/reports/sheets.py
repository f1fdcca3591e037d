"""Sheets of thumbnails: photographs as JPEG, part masks as PNG.

A sheet holds SHEET images, row by row. In a mask the background is transparent, so that a page can lay it over the
photograph, with any opacity.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.io.files import atomic
from pipeline.io.images import resize_mask
from sorn.parts import BACKGROUND, CLASSES, COLOURS

COLUMNS, ROWS = 8, 4
SHEET = COLUMNS * ROWS  # images: few enough that a sorted page, every image from another sheet, decodes in no time
QUALITY = 85
IMAGE = "image"  # key of the sheets of photographs; those of masks have the keys of their layers


def sheet_name(layer: str, number: int) -> str:
    """File of a sheet.

    layer: IMAGE, or the key of a set of masks.
    """
    return photograph_sheet(layer, number) if layer == IMAGE else f"{layer}-{number:05d}.png"


def photograph_sheet(key: str, number: int) -> str:
    """File of a sheet of photographs."""
    return f"{key}-{number:05d}.jpg"


def write_images(path: Path, images: Sequence[np.ndarray], size: tuple[int, int]) -> None:
    """Sheet of photographs [H, W, 3] uint8.

    size: height and width of a thumbnail.
    """
    sheet = photographs(images, size)
    with atomic(path) as temporary:
        sheet.save(temporary, "JPEG", quality=QUALITY)


def photographs(images: Sequence[np.ndarray], size: tuple[int, int]) -> Image.Image:
    """Picture of a sheet of photographs [H, W, 3] uint8.

    size: height and width of a thumbnail.
    """
    height, width = size
    sheet = Image.new("RGB", (COLUMNS * width, ROWS * height))
    for place, image in enumerate(images):
        thumbnail = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(thumbnail, _corner(place, size))
    return sheet


def write_masks(path: Path, masks: Sequence[np.ndarray | None], size: tuple[int, int]) -> None:
    """Sheet of part masks [H, W] uint8, None for an image without one.

    size: height and width of a thumbnail.
    """
    height, width = size
    pixels = np.full((ROWS * height, COLUMNS * width), BACKGROUND, np.uint8)
    for place, mask in enumerate(masks):
        if mask is not None:
            left, top = _corner(place, size)
            pixels[top : top + height, left : left + width] = resize_mask(mask, size)
    sheet = Image.fromarray(pixels, "P")
    sheet.putpalette(COLOURS[: len(CLASSES)].tobytes())
    with atomic(path) as temporary:
        sheet.save(temporary, "PNG", transparency=BACKGROUND)


def _corner(place: int, size: tuple[int, int]) -> tuple[int, int]:
    """Left and upper edge of a thumbnail in its sheet."""
    row, column = divmod(place, COLUMNS)
    return column * size[1], row * size[0]
