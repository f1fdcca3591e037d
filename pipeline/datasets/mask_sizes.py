"""Sizes of label maps: which part shows the image. No files."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.mask_values import Misfit

ASPECT_TOLERANCE = 0.02  # a resized label map may be this far from the image's shape, by rounding
SHAPE, STRETCHED, LETTERBOXED, PADDED = FITS = ("shape", "stretched", "letterboxed", "padded")


def shown(values: np.ndarray, size: tuple[int, int], fit: str = SHAPE) -> np.ndarray:
    """The part of a label map that shows its image.

    values: [h', w']; the result is a view of them. size: (h, w) of the image. fit, one of FITS: the map has the image's
    shape; or any size, with the image stretched over it, or in its middle between borders, or at its left and top.
    Raises Misfit where fit is "shape", and the aspect ratios differ by more than 2 % and by more than one pixel of the
    map: a network of stride 8 gives a map of 3x7 for an image of 21x53.
    """
    (rows, columns), (height, width) = values.shape, size
    if fit == STRETCHED:
        return values
    if fit in (LETTERBOXED, PADDED):
        scale = min(rows / height, columns / width)
        high, wide = (max(1, round(side * scale)) for side in size)
        top, left = ((rows - high) // 2, (columns - wide) // 2) if fit == LETTERBOXED else (0, 0)
        return values[top : top + high, left : left + wide]
    if not same_shape(values.shape, size):
        raise _another_shape(values.shape, size)
    return values


def same_shape(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a map has the aspect ratio of its image.

    shape, size: (h, w) of the map and of the image.
    """
    (rows, columns), (height, width) = shape, size
    return abs(rows * width / (columns * height) - 1) <= ASPECT_TOLERANCE or _within_a_pixel(shape, size)


def _within_a_pixel(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether some scale takes the size to the shape, if both sides of that may be one more or less."""
    least = max((side - 1) / full for side, full in zip(shape, size, strict=True))
    most = min((side + 1) / full for side, full in zip(shape, size, strict=True))
    return least <= most


def _another_shape(shape: tuple[int, ...], size: tuple[int, int]) -> Misfit:
    (rows, columns), (height, width) = shape, size
    found = f"is {columns}x{rows} pixels and its image {width}x{height}: another shape"
    if same_shape(shape[::-1], size):
        remedy = "Make the masks from the images as they are shown, turned as their orientation tags say."
        return Misfit(f"{found}, the same lying on its side", remedy)
    when = "If all maps have one size, with the image stretched over it (or letterboxed, or padded at right and bottom)"
    return Misfit(found, "Make the masks from the same images, uncropped.", "fit=stretched", when)
