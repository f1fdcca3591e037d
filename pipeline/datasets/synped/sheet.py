"""Contact sheets of SynPed: many images and masks in one picture.

Reads images and masks, writes the sheet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import UserError
from sorn.parts import BACKGROUND, COLOURS

CELL = (96, 256)  # width, height of one picture in pixels
GAP = 3


def overlay(image: np.ndarray, mask: np.ndarray, strength: float = 0.6) -> np.ndarray:
    """Image with the body parts in their colours.

    image: uint8 [h, w, 3]. mask: uint8 [h, w]. The background is unchanged.
    """
    body = (mask != BACKGROUND)[..., None]
    mixed = (1 - strength) * image + strength * COLOURS[mask]
    return np.where(body, mixed, image).astype(np.uint8)


def contact_sheet(
    root: Path, path: Path, splits: tuple[str, ...] = ("train", "query"), columns: int = 14, seed: int = 0
) -> None:
    """Sheet of random images of the dataset under `root`.

    Per split it has a row of images and a row of their masks. Raises UserError where a split has no images.
    """
    width, height = CELL[0] + GAP, CELL[1] + GAP
    sheet = Image.new("RGB", (columns * width - GAP, 2 * len(splits) * height - GAP), "white")
    for row, split in enumerate(splits):
        names = sorted((root / "images" / split).glob("*.jpg"))
        if not names:
            raise UserError(f"{root} holds no pictures of {split}", "Render them first: make data DATASET=synped_demo")
        chosen = np.random.default_rng(seed).permutation(len(names))[:columns]
        for column, number in enumerate(chosen):
            with Image.open(names[number]) as file:
                image = file.convert("RGB")
            with Image.open(root / "masks" / split / f"{names[number].stem}.png") as file:
                mask = np.array(file)
            for below, cell in enumerate((image, Image.fromarray(overlay(np.asarray(image), mask)))):
                place = (column * width, (2 * row + below) * height)
                sheet.paste(cell.resize(CELL, Image.Resampling.BICUBIC), place)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=88)
