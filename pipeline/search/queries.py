"""Queries of a search: pictures, and persons in frames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.boxes import ENDING, FrameCrop, read_crops
from pipeline.datasets.image_folder import as_pixels
from pipeline.errors import UserError
from pipeline.features.mapped import MappedBank

Query = str | Path | Image.Image | np.ndarray | FrameCrop


def queries_of(given: Sequence[Path]) -> list[Path | FrameCrop]:
    """Queries of the command line, with one per row of a CSV.

    Raises UserError for a CSV without a row, and for a box without a size.
    """
    found: list[Path | FrameCrop] = []
    for path in given:
        if path.suffix.lower() != ENDING:
            found.append(path)
            continue
        rows = read_crops(path)
        if not rows:
            raise UserError(f"{path} has no row", "Write a row path,x,y,w,h for each person to search for.")
        for line, crop in rows:
            if crop.box.wrong:
                raise UserError(f"{path}, line {line}: {crop.box.wrong}", "Correct the row, or remove it.")
            found.append(FrameCrop(path.parent / crop.path, crop.box))
    return found


def pixels_of(query: Query) -> np.ndarray:
    """Picture of a query, [h, w, 3] uint8 RGB.

    Raises UserError for one that cannot be used.
    """
    return query.pixels() if isinstance(query, FrameCrop) else as_pixels(query)


def name_of(query: Query, number: int) -> str:
    """Name of its file, or "query N"."""
    if isinstance(query, FrameCrop):
        return query.name
    return os.fspath(query) if isinstance(query, str | os.PathLike) else f"query {number}"


def is_own(query: Query, gallery: MappedBank, name: str) -> bool:
    """Whether a gallery picture is the query's own file and box."""
    path = query.path if isinstance(query, FrameCrop) else query
    file = gallery.picture(name)
    if file is None or not isinstance(path, str | os.PathLike):
        return False
    box = query.box if isinstance(query, FrameCrop) else None
    try:
        return gallery.box(name) == box and os.path.samefile(path, file)
    except OSError:  # one of them is gone
        return False
