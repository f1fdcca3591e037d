"""Pixels: image files as arrays, and images and masks at the size of the shards. Reads images, writes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.image_files import BROKEN


def decode(path: Path) -> np.ndarray | None:
    """An image as [h, w, 3] uint8 RGB, None if it cannot be decoded. EXIF orientation is ignored, as re-ID tools do."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except BROKEN:
        return None


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
