"""Regions of an image that a network sees, and the way back.

A region keeps the proportions of the image: a network never sees a person stretched. What lies beyond the image is
black.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

DIGITS = 6  # behind the point, of a place in pixels: what differs by less is a rounding error


@dataclass(frozen=True)
class Region:
    """Rectangle, in pixels of an image. It may reach beyond the image."""

    left: float
    top: float
    width: float
    height: float

    @staticmethod
    def square(x: float, y: float, side: float) -> Region:
        """Square around a point."""
        return Region(x - side / 2, y - side / 2, side, side)

    @staticmethod
    def of_image(size: tuple[int, ...]) -> Region:
        """The image itself. size: (h, w, ...)."""
        return Region(0, 0, size[1], size[0])

    def around(self, scale: float) -> Region:
        """Square with the middle of this region.

        `scale` times as large as its longer side.
        """
        side = scale * max(self.width, self.height)
        return Region.square(self.left + self.width / 2, self.top + self.height / 2, side)

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points in fractions of the region [n, 2] (x, y) -> pixels of the image."""
        found: np.ndarray = points * np.array([self.width, self.height]) + np.array([self.left, self.top])
        return found


def cut(image: np.ndarray, region: Region, side: int, levels: np.ndarray) -> np.ndarray:
    """A square region of an image, as a network sees it.

    image: uint8 [h, w, 3]. Returns float32 [side, side, 3]. levels: float32 [256], what stands for each value of a
    pixel.
    """
    from pipeline.labelers.blazepose_kernels import write_levels

    result = np.empty((side, side, image.shape[2]), np.float32)
    found = _resampled(image, Region.of_image(image.shape), region, (side, side))
    if found is None:
        result[:] = levels[0]
    else:
        pixels, (rows, columns) = found
        write_levels(pixels, levels, result, rows.start, columns.start)
    return result


def put_back(values: np.ndarray, region: Region, image_size: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Values of a network over its region -> over the image.

    values: float32 [n, n]. Returns float32 [h, w], 0 outside the region. image_size: (h, w) of the image, in whose
    pixels the region is. size: (h, w) of the result.
    """
    result = np.zeros(size, np.float32)
    found = _resampled(values, region, Region.of_image(image_size), size)
    if found is not None:
        result[found[1]] = found[0]
    return result


def _resampled(
    source: np.ndarray, source_region: Region, region: Region, size: tuple[int, int]
) -> tuple[np.ndarray, tuple[slice, slice]] | None:
    """Bilinear copy of what `source` shows of another region of the same image, and its rows and columns there.

    Only whole pixels of the copy: none that `source` covers in part. None where the regions do not meet.
    """
    height, width = source.shape[:2]
    columns = _overlap(source_region.left, source_region.width, width, region.left, region.width, size[1])
    rows = _overlap(source_region.top, source_region.height, height, region.top, region.height, size[0])
    if columns is None or rows is None:
        return None
    box = (columns.first, rows.first, columns.last, rows.last)
    shape = (columns.pixels.stop - columns.pixels.start, rows.pixels.stop - rows.pixels.start)
    copied = np.array(Image.fromarray(source).resize(shape, Image.Resampling.BILINEAR, box=box))
    return copied, (rows.pixels, columns.pixels)


@dataclass(frozen=True)
class _Overlap:
    """Along one side: pixels of the copy, and where they begin and end in the source, in its pixels."""

    pixels: slice
    first: float
    last: float


def _overlap(
    source_start: float, source_length: float, source_pixels: int, start: float, length: float, pixels: int
) -> _Overlap | None:
    """What one side of the copy has of the source's side; None where they do not meet, else one pixel or more."""
    scale = pixels / length
    begin = math.ceil(round((source_start - start) * scale, DIGITS))
    end = math.floor(round((source_start + source_length - start) * scale, DIGITS))
    begin = min(max(begin, 0), pixels - 1)
    end = max(min(end, pixels), begin + 1)
    first, last = (
        min(max((start + edge / scale - source_start) * source_pixels / source_length, 0.0), float(source_pixels))
        for edge in (begin, end)
    )
    return _Overlap(slice(begin, end), first, last) if last - first > 10**-DIGITS else None
