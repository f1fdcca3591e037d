"""Masks of other tools' JSON entries, polygons or runs, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from pipeline.datasets.coco import rle
from pipeline.datasets.coco.entries import Entry
from pipeline.datasets.mask_sizes import shown
from pipeline.datasets.mask_values import Misfit
from pipeline.io.images import resize_mask

OUTSIDE = 0.25  # of a side of the image; polygons that go farther are of another one


def decode(entry: Entry, size: tuple[int, int], fit: str) -> np.ndarray:
    """Mask of an entry, bool [h, w].

    size: (h, w) of the image. fit: how the image lies in a run-length mask of another size, one of
    `pipeline.datasets.mask_sizes.FITS`. Raises UserError for a damaged mask and for one of another image.
    """
    value = entry.fields.get("segmentation", entry.fields.get("segments"))
    if isinstance(value, Mapping) and "counts" in value:
        try:
            mask = shown(rle.decode(value), size, fit)
        except Misfit as error:
            option = f" {error.when}: --set masks.options.{error.option}" if error.option else ""
            raise entry.damaged(f"has a mask that {error.found}", error.remedy + option) from error
        except (ValueError, OverflowError, UnicodeEncodeError) as error:
            raise entry.damaged(f"has a damaged mask: {error}") from error
        return resize_mask(mask.astype(np.uint8), size) > 0
    return _filled(entry, _polygons(entry, value), size)


def _polygons(entry: Entry, value: Any) -> list[np.ndarray]:
    """Corners [n, 2] of each polygon."""
    try:
        if isinstance(value, Mapping):  # Ultralytics' to_json
            polygons = [np.column_stack([value["x"], value["y"]]).astype(np.float64)]
        else:
            listed = value if not value or isinstance(value[0], list) else [value]
            polygons = [np.array(one, np.float64).reshape(-1, 2) for one in listed]
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        keys = ", ".join(list(entry.fields)[:4]) or "nothing"
        remedy = "Write each mask as `segmentation`: runs with size and counts, or polygons."
        raise entry.damaged(f"has no mask that can be read, but {keys}", remedy) from error
    if not all(np.isfinite(one).all() for one in polygons):
        raise entry.damaged("has polygons that are no finite numbers")
    return polygons


def _filled(entry: Entry, polygons: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    height, width = size
    picture = Image.new("L", (width, height))
    corners = np.concatenate([*polygons, np.zeros((0, 2))])
    remedy = "Give the polygons in pixels, of the same images."
    if len(corners) and corners.max() <= 1 < min(size):
        raise entry.damaged("has polygons within one pixel: they are in fractions of the image", remedy)
    low, high = -OUTSIDE * np.array([width, height]), (1 + OUTSIDE) * np.array([width, height])
    if ((corners < low) | (corners > high)).any():
        raise entry.damaged(f"has a polygon that leaves its image of {width}x{height} pixels", remedy)
    for polygon in polygons:
        if len(polygon) >= 3:
            ImageDraw.Draw(picture).polygon([tuple(point) for point in (polygon - 0.5).tolist()], fill=1)
    return np.asarray(picture) > 0
