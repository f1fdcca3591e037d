"""Small trees of images for tests that read datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image

MakeImages = Callable[[Path, Iterable[str]], None]


@pytest.fixture
def make_images() -> MakeImages:
    """Writes a 4x8 picture under each name; no two have the same bytes."""
    written = 0

    def make(root: Path, names: Iterable[str]) -> None:
        nonlocal written
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 8), (written % 250, written // 250 * 40 % 250, 7)).save(path)
            written += 1

    return make
