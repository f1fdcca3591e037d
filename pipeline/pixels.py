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
    """[h, w] uint8 -> [H, W] uint8: the class that covers most of each new pixel's area, ties to the lower id."""
    height, width = size
    if mask.shape == size:
        return mask
    ids = np.unique(mask)
    covered = [
        np.asarray(Image.fromarray((mask == i).astype(np.float32)).resize((width, height), Image.Resampling.BOX))
        for i in ids
    ]  # each [H, W] float32, the share of the new pixel's area
    return ids[np.argmax(covered, axis=0)]
