"""Conversion of DensePose-COCO into a dataset for training part segmenters.

Reads its annotations and COCO's images; writes crops.

    images/<image id>_<annotation id>.jpg         one person with some surroundings, JPEG of quality 95
    masks/labeler/images/<same>.png               its mask: 8-bit palette PNG, class ids of sorn.parts
    densepose_coco.csv, densepose_coco.toml       the list of the images (split `labeler`), and its terms; written last
    densepose_coco.json                           what the crops are made from

The layout is that of any CSV dataset, so `make labeler DATASET=FOLDER/densepose_coco.toml` (or .csv) finds the masks. A
file that exists is finished, because it is renamed last: an interrupted run continues where it stopped. Format of the
annotations: DensePose, doc/DENSEPOSE_DATASETS.md.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.coco import rle
from pipeline.datasets.coco.annotations import GRID, Instance, read_instances
from pipeline.datasets.conversion import claim, told_when_unwritable
from pipeline.datasets.csv_list import COLUMNS
from pipeline.errors import UserError
from pipeline.io.files import atomic, digest_file, write_text
from pipeline.io.images import BROKEN, read_content, read_rgb, unreadable
from pipeline.runtime.progress import progress
from sorn.config import check
from sorn.parts import COLOURS

NAME = "densepose_coco"
VERSION = 1  # of the crops: another one makes none of the old fit
QUALITY = 95
SPLIT = "labeler"
LICENCE = "DensePose annotations: CC BY-NC 2.0 (not for commercial use); images: the terms of COCO and of Flickr."
NOTICE = "Photographs of real people. What is trained on them may carry the terms of the annotations."

HAND_CLASS = next(iter(HANDS))  # as everywhere by default
COARSE = load_table("densepose15", HAND_CLASS).astype(np.uint8)
FINE = load_table("densepose24", HAND_CLASS).astype(np.uint8)


@dataclass(frozen=True)
class CropOptions:
    margin: float = 0.1
    # Surroundings on each side, as a share of the box's width and height; what lies outside the image is not there.
    min_height: int = 32
    # Pixels; a lower box is left out: its parts are a few pixels each.

    def __post_init__(self) -> None:
        check(0 <= self.margin <= 1, "margin", self.margin, "a share of the box, 0 to 1")
        check(self.min_height >= 1, "min-height", self.min_height, "1 or more pixels")


@dataclass(frozen=True)
class Converted:
    """Result of a conversion.

    dataset: the value for DATASET. instances: number of crops. skipped: reason -> number of annotations. points,
    agreeing: number of annotated surface points inside the crops, and of those whose class is that of the mask at their
    place.
    """

    dataset: Path
    instances: int
    images: int
    skipped: Counter[str]
    points: int
    agreeing: int

    def text(self) -> str:
        lines = [f"{self.instances:,} people of {self.images:,} images in {self.dataset.parent}"]
        for reason, count in self.skipped.most_common():
            lines.append(f"  left out: {count:,} {reason}")
        if self.points:
            share = self.agreeing / self.points
            lines.append(f"  {share:.1%} of {self.points:,} surface points agree with the mask at their place")
        return "\n".join([*lines, f"  {LICENCE}", f"  -> make labeler DATASET={shlex.quote(str(self.dataset))}"])


def convert(annotations: Path, images: Path, out: Path, options: CropOptions, workers: int = 2) -> Converted:
    """Crops that are missing, written to `out`, then the list of all.

    The result does not depend on `workers`. Holds all annotations in memory, about five times the size of their file.
    Raises UserError for annotations that cannot be read or have no parts, for a missing or unreadable image, for a
    folder with other crops and for a full disk.
    """
    instances, skipped = read_instances(annotations, options.min_height)
    if not instances:
        what = "; ".join(f"{count:,} {reason}" for reason, count in skipped.most_common())
        remedy = "Give DensePose-COCO's file, e.g. densepose_train2014.json: only it has `dp_masks`."
        raise UserError(f"{annotations} has no person with part masks ({what or 'no annotation'})", remedy)
    by_image = [list(group) for _, group in groupby(instances, key=lambda instance: instance.image)]
    _require_images(images, [group[0].file_name for group in by_image])
    with told_when_unwritable(out):
        claim(out / f"{NAME}.json", _state(annotations, options), "annotations or options")
        points, agreeing = _write_crops(images, out, by_image, options.margin, workers)
        dataset = _write_list(out, instances)
    return Converted(dataset, len(instances), len(by_image), skipped, points, agreeing)


def part_grid(instance: Instance) -> np.ndarray:
    """Part mask of an instance over its box, class ids uint8 [256, 256].

    A later part covers an earlier one. Raises UserError for a damaged mask.
    """
    coarse = np.zeros((GRID, GRID), np.intp)
    for part, mask in instance.parts:
        try:
            coarse[rle.decode(mask)] = part
        except ValueError as error:
            wrong = f"annotation {instance.annotation}: the mask of part {part} is damaged: {error}"
            raise UserError(wrong, "Get the annotations again, or mend that one.") from error
    return COARSE[coarse]


def crop_box(instance: Instance, margin: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the crop in whole pixels.

    The crop is the box with its margin, inside the image.
    """
    x, y, width, height = instance.box
    image_width, image_height = instance.size
    left, top = max(0, int(np.floor(x - margin * width))), max(0, int(np.floor(y - margin * height)))
    right = min(image_width, int(np.ceil(x + (1 + margin) * width)))
    bottom = min(image_height, int(np.ceil(y + (1 + margin) * height)))
    return left, top, right, bottom


def paste(grid: np.ndarray, instance: Instance, crop: tuple[int, int, int, int]) -> np.ndarray:
    """Part grid of a box, resampled to the crop's pixels, uint8 [h, w].

    Each pixel takes the cell that contains its centre.
    """
    left, top, right, bottom = crop
    x, y, width, height = instance.box
    columns = np.floor((np.arange(left, right) + 0.5 - x) * GRID / width).astype(np.intp)
    rows = np.floor((np.arange(top, bottom) + 0.5 - y) * GRID / height).astype(np.intp)
    inside = np.outer((rows >= 0) & (rows < GRID), (columns >= 0) & (columns < GRID))
    return np.where(inside, grid[np.ix_(rows.clip(0, GRID - 1), columns.clip(0, GRID - 1))], 0).astype(np.uint8)


def point_agreement(mask: np.ndarray, instance: Instance, crop: tuple[int, int, int, int]) -> tuple[int, int]:
    """Number of surface points inside the crop, and of those that agree.

    A point agrees when the mask has its class at its place.
    """
    left, top, right, bottom = crop
    x, y, width, height = instance.box
    columns = np.floor(x + instance.points[:, 0] * width / GRID).astype(np.intp) - left
    rows = np.floor(y + instance.points[:, 1] * height / GRID).astype(np.intp) - top
    inside = (columns >= 0) & (columns < right - left) & (rows >= 0) & (rows < bottom - top)
    expected = FINE[instance.points[inside, 2].astype(np.intp)]
    return int(inside.sum()), int((mask[rows[inside], columns[inside]] == expected).sum())


def _write_crops(
    images: Path, out: Path, by_image: list[list[Instance]], margin: float, workers: int
) -> tuple[int, int]:
    """Crops that are missing; returns points and agreeing points of all crops."""
    for folder in (out / "images", _masks(out)):
        folder.mkdir(parents=True, exist_ok=True)

    def work(group: list[Instance]) -> tuple[int, int]:
        return _convert_image(images, out, group, margin)

    # Threads are enough: Pillow leaves the interpreter lock while it decodes and encodes.
    points = agreeing = 0
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for seen, same in progress(pool.map(work, by_image), len(by_image), "coco"):
            points, agreeing = points + seen, agreeing + same
    return points, agreeing


def _masks(out: Path) -> Path:
    """Mask folder, where `pipeline.datasets.manifest.mask_path` expects it."""
    return out / "masks" / SPLIT / "images"


def _convert_image(images: Path, out: Path, group: list[Instance], margin: float) -> tuple[int, int]:
    """Crops of one image that are missing; returns points and agreeing points of all."""
    pixels: np.ndarray | None = None
    points = agreeing = 0
    for instance in group:
        crop = crop_box(instance, margin)
        mask = paste(part_grid(instance), instance, crop)
        seen, same = point_agreement(mask, instance, crop)
        points, agreeing = points + seen, agreeing + same
        image_path = out / "images" / f"{instance.name}.jpg"
        mask_path = _masks(out) / f"{instance.name}.png"
        if not image_path.is_file():
            pixels = _read(images / instance.file_name, instance.size) if pixels is None else pixels
            left, top, right, bottom = crop
            picture = Image.fromarray(pixels[top:bottom, left:right])
            _write(image_path, picture, format="JPEG", quality=QUALITY, subsampling=0)
        if not mask_path.is_file():
            palette = Image.fromarray(mask, mode="P")
            palette.putpalette(COLOURS.tobytes())
            _write(mask_path, palette, format="PNG", bits=8)
    return points, agreeing


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
    try:
        pixels = read_rgb(read_content(path))
    except BROKEN as error:
        raise unreadable(path, error) from error
    height, width, _ = pixels.shape
    if (width, height) != size:
        wrong = f"{path} is {width}x{height} pixels, but {size[0]}x{size[1]} in the annotations"
        raise UserError(wrong, "Use COCO's original images, not resized or turned.")
    return pixels


def _write(path: Path, picture: Image.Image, **options: Any) -> None:
    """The whole file or none of it."""
    with atomic(path) as temporary, open(temporary, "wb") as file:
        picture.save(file, **options)


def _require_images(folder: Path, names: list[str]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        wrong = f"{len(missing):,} of {len(names):,} images are not in {folder}, first {missing[0]}"
        raise UserError(wrong, "Give the folder of COCO's images of this split: --images train2014")


def _state(annotations: Path, options: CropOptions) -> dict[str, object]:
    """What the crops are made from."""
    return {
        "version": VERSION,
        "annotations": digest_file(annotations),
        "margin": options.margin,
        "min_height": options.min_height,
    }


def _write_list(out: Path, instances: list[Instance]) -> Path:
    """CSV of all crops, each an identity of its own, and a manifest with their terms."""
    rows = [f"images/{instance.name}.jpg,{instance.annotation},1,{SPLIT}" for instance in instances]
    table, path = f"{NAME}.csv", out / f"{NAME}.toml"
    write_text(out / table, "\n".join([",".join(COLUMNS), *rows]) + "\n")
    manifest = {"name": NAME, "title": "DensePose-COCO", "licence": LICENCE, "notice": NOTICE, "csv": table}
    write_text(path, "".join(f"{key} = {json.dumps(value)}\n" for key, value in manifest.items()))
    return path
