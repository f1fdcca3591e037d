"""COCO annotations with DensePose's part masks -> instances.

Reads the annotations' JSON; writes nothing. The fields are those of DensePose, doc/DENSEPOSE_DATASETS.md. A person may
have `dp_masks`, run-length masks of the 14 coarse parts over a grid on its box, and `dp_x`, `dp_y`, `dp_I`, surface
points in the same grid with their fine part.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.errors import UserError

GRID = 256  # cells of a box on each side, for masks and points
COARSE_PARTS, FINE_PARTS = 14, 24
PERSON = "person"


@dataclass(frozen=True)
class Instance:
    """One annotated person.

    file_name: of the image, below COCO's folder. size: its width and height. box: x, y, width and height in pixels, not
    always inside the image. parts: coarse part 1..14 and its run-length mask, in the order of the parts. points:
    float32 [n, 3], x and y in cells of the grid and the fine part 1..24.
    """

    annotation: int
    image: int
    file_name: str
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    parts: tuple[tuple[int, Mapping[str, Any]], ...]
    points: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.image}_{self.annotation}"


class _Skipped(Exception):
    """Reason for leaving out an annotation, as words after a number of annotations."""


def read_instances(path: Path, min_height: int) -> tuple[list[Instance], Counter[str]]:
    """People with part masks, and the reasons for annotations left out.

    The people are sorted by image and annotation. The reasons are a dict: reason -> number of annotations. Raises
    UserError for a file that is missing, no JSON or no COCO annotations, and for a damaged annotation.
    """
    remedy = "Give an annotation file of DensePose-COCO, e.g. densepose_train2014.json."
    try:
        with open(path, "rb") as file:
            document = json.load(file)
        images = {image["id"]: image for image in document["images"]}
        annotations = document["annotations"]
        people = {category["id"] for category in document["categories"] if category["name"] == PERSON}
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", remedy) from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}", remedy) from error
    except (KeyError, TypeError) as error:
        wrong = f"{path} holds no COCO annotations: it needs the lists images, annotations and categories"
        raise UserError(wrong, remedy) from error
    instances: dict[int, Instance] = {}
    skipped: Counter[str] = Counter()
    for number, annotation in enumerate(annotations):
        try:
            instance = _instance(annotation, images, people, min_height)
            if instance.annotation in instances:
                raise ValueError(f"id {instance.annotation} occurs twice")
            instances[instance.annotation] = instance
        except _Skipped as reason:
            skipped[str(reason)] += 1
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            known = annotation.get("id", "?") if isinstance(annotation, dict) else "?"
            detail = f"it has no {error}" if isinstance(error, KeyError) else error
            wrong = f"{path}, annotation {number} (id {known}) is damaged: {detail}"
            raise UserError(wrong, "Get the file again, or mend that annotation.") from error
    return sorted(instances.values(), key=lambda instance: (instance.image, instance.annotation)), skipped


def _instance(
    annotation: Mapping[str, Any], images: Mapping[int, Mapping[str, Any]], people: set[int], min_height: int
) -> Instance:
    if annotation["category_id"] not in people:
        raise _Skipped("of other things than people")
    if not annotation.get("dp_masks"):
        raise _Skipped("without dp_masks, as most of COCO's people are")
    if not isinstance(annotation["dp_masks"], list):
        raise _Skipped("with one mask of the whole figure, which tells no parts")
    if annotation.get("iscrowd"):
        raise _Skipped("of crowds")
    image = images.get(annotation["image_id"])
    if image is None:
        raise ValueError(f"there is no image {annotation['image_id']}")
    size = _number(image["width"]), _number(image["height"])
    x, y, width, height = box = tuple(float(value) for value in annotation["bbox"])
    if not (all(map(math.isfinite, box)) and width > 0 and height > 0):
        raise ValueError(f"bbox = {annotation['bbox']}")
    if height < min_height:
        raise _Skipped(f"lower than {min_height} pixels")
    if x >= size[0] or y >= size[1] or x + width <= 0 or y + height <= 0:
        raise _Skipped("outside their image")
    parts = _parts(annotation["dp_masks"])
    if not parts:
        raise _Skipped("in which no part is drawn")
    identity = _number(annotation["id"]), _number(annotation["image_id"])
    return Instance(*identity, _file_name(image), size, (x, y, width, height), parts, _points(annotation))


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no whole number from 0 up")
    return value


def _file_name(image: Mapping[str, Any]) -> str:
    path = PurePosixPath(image["file_name"])
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"file_name {image['file_name']!r} leads out of the folder of images")
    return str(path)


def _parts(masks: list[Any]) -> tuple[tuple[int, Mapping[str, Any]], ...]:
    if len(masks) != COARSE_PARTS:
        raise ValueError(f"dp_masks has {len(masks)} entries, not {COARSE_PARTS}")
    drawn = [(part, mask) for part, mask in enumerate(masks, 1) if mask]
    for part, mask in drawn:
        if not isinstance(mask, dict) or mask.get("size") != [GRID, GRID]:
            raise ValueError(f"the mask of part {part} is no run-length mask of {GRID} x {GRID}")
    return tuple(drawn)


def _points(annotation: Mapping[str, Any]) -> np.ndarray:
    """Surface points float32 [n, 3]; n = 0 for an annotation without points."""
    columns = [np.array(annotation.get(key, []), np.float32) for key in ("dp_x", "dp_y", "dp_I")]
    points = np.stack(columns, axis=-1).reshape(-1, 3)  # ValueError where their lengths differ
    if len(points) and not (np.isfinite(points).all() and 1 <= points[:, 2].min() <= points[:, 2].max() <= FINE_PARTS):
        raise ValueError(f"dp_x, dp_y, dp_I are no points of parts 1 to {FINE_PARTS}")
    return points
