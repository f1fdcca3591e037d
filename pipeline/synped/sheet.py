"""Contact sheets: reads SynPed's images and masks, writes one picture of many, to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import UserError
from pipeline.manifest import SPLITS
from sorn.parts import BACKGROUND, COLOURS

CELL = (96, 256)  # width, height of one picture in pixels
GAP = 3


def overlay(image: np.ndarray, mask: np.ndarray, strength: float = 0.6) -> np.ndarray:
    """The image uint8 [h, w, 3] with the parts of mask uint8 [h, w] in their colours; background unchanged."""
    body = (mask != BACKGROUND)[..., None]
    mixed = (1 - strength) * image + strength * COLOURS[mask]
    return np.where(body, mixed, image).astype(np.uint8)


def contact_sheet(
    root: Path, path: Path, rows: int = 6, columns: int = 16, seed: int = 0, split: str | None = None
) -> None:
    """Write randomly chosen pictures of the dataset under `root`, every second row the masks of the row above.

    split: one of SPLITS, or None for all. Raises UserError where there are no pictures.
    """
    names = sorted(p for name in ([split] if split else SPLITS) for p in (root / "images" / name).glob("*.jpg"))
    if not names:
        raise UserError(f"{root} holds no pictures", "Render them first: make data DATASET=synped_demo.")
    count = min(len(names), -(-rows // 2) * columns)
    chosen = [names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count]]
    width, height = CELL[0] + GAP, CELL[1] + GAP
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), "white")
    for number, name in enumerate(chosen):
        row, column = 2 * (number // columns), number % columns
        with Image.open(name) as file:
            image = file.convert("RGB")
        with Image.open(root / "masks" / name.parent.name / f"{name.stem}.png") as file:
            mask = np.array(file)
        cells = (image, Image.fromarray(overlay(np.asarray(image), mask)))
        for below, cell in enumerate(cells[: rows - row]):
            sheet.paste(cell.resize(CELL, Image.Resampling.BICUBIC), (column * width, (row + below) * height))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
