"""COCO annotations of body parts -> part masks.

Reads the JSON that `sorn masks export --to coco` and annotation tools write: run-length masks or polygons, with the
categories of the eight part classes by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from pipeline.datasets.coco import rle
from pipeline.errors import UserError
from pipeline.io.text import read_json
from sorn.parts import BACKGROUND, CLASSES

REMEDY = "Give annotations as `sorn masks export RUN --to coco` writes them: images, annotations, categories."


@dataclass(frozen=True)
class DrawnMask:
    """Annotations of one image.

    size: (h, w). shapes: part and COCO segmentation, in the order of drawing.
    """

    file: str
    size: tuple[int, int]
    shapes: tuple[tuple[int, Any], ...]

    def parts(self) -> np.ndarray:
        """Class ids uint8 [h, w]; a later annotation lies over an earlier one.

        Raises UserError for a damaged segmentation.
        """
        mask = np.full(self.size, BACKGROUND, np.uint8)
        for part, segmentation in self.shapes:
            try:
                mask[_inside(segmentation, self.size)] = part
            except (ValueError, TypeError, OverflowError) as error:
                raise UserError(
                    f"an annotation of {CLASSES[part]} in '{self.file}' is damaged: {error}", REMEDY
                ) from error
        return mask


def read_part_masks(path: Path) -> dict[str, DrawnMask]:
    """File name of an image -> its annotations.

    An image without annotations has an empty mask. Raises UserError for a file that is no such JSON, and for a category
    that is no body part.
    """
    try:
        document = read_json(path)
        images = {image["id"]: (_text(image["file_name"]), _size(image)) for image in document["images"]}
        parts = {category["id"]: _part(path, category["name"]) for category in document["categories"]}
        shapes: dict[object, list[tuple[int, Any]]] = {number: [] for number in images}
        for annotation in document["annotations"]:
            shapes[annotation["image_id"]].append((parts[annotation["category_id"]], annotation["segmentation"]))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", REMEDY) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{path} holds no COCO annotations of body parts: {found}", REMEDY) from error
    return {file: DrawnMask(file, size, tuple(shapes[number])) for number, (file, size) in images.items()}


def _size(image: Mapping[str, Any]) -> tuple[int, int]:
    height, width = image["height"], image["width"]
    if type(height) is int and type(width) is int and 0 < height * width <= rle.MAX_PIXELS and height > 0:
        return height, width
    raise ValueError(f"an image of {height} x {width} pixels")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"the name {value!r} is no text")


def _part(path: Path, name: object) -> int:
    plain = _text(name).strip().lower().replace("_", " ")
    if plain in CLASSES:
        return CLASSES.index(plain)
    raise UserError(f"{path} has the category '{name}', which is no body part", f"Known: {', '.join(CLASSES)}.")


def _inside(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """Pixels of one annotation, bool [h, w]."""
    if isinstance(segmentation, dict):
        found = rle.decode(segmentation)
        if found.shape != size:
            raise ValueError(
                f"its mask has {found.shape[0]} x {found.shape[1]} pixels, its image {size[0]} x {size[1]}"
            )
        return found
    picture = Image.new("1", (size[1], size[0]))
    for polygon in segmentation:
        points = [float(value) for value in polygon]
        if len(points) < 6 or len(points) % 2:
            raise ValueError(f"a polygon of {len(points)} numbers")
        if not np.isfinite(points).all() or max(map(abs, points)) > rle.MAX_PIXELS:
            raise ValueError("a polygon far outside of its image")
        ImageDraw.Draw(picture).polygon(list(zip(points[::2], points[1::2], strict=True)), fill=1)
    return np.asarray(picture)
