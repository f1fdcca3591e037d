"""Mended masks: which file belongs to which image, and what each of them may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.mended_masks import find_mended, mask_name
from pipeline.errors import LostFile, UserError
from sorn.parts import COLOURS

IMAGES = [f"train/{name}" for name in ("a.jpg", "b.jpg", "b.png", "c.jpg")]


def save(folder: Path, name: str, pixels: np.ndarray) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_mask_belongs_to_one_image(tmp_path: Path) -> None:
    ids = np.arange(8, dtype=np.uint8).reshape(4, 2)
    for name in ("train/a.png", "train/b.png", "train/b.jpg.png", "train/z.png"):
        save(tmp_path, name, ids)
    found = find_mended(tmp_path, IMAGES)
    # b.png is the name of an image: the mask of that image, and not of b.jpg, which has its own.
    assert {name: path.name for name, path in found.files.items()} == {
        "train/a.jpg": "a.png",
        "train/b.jpg": "b.jpg.png",
        "train/b.png": "b.png",
    }
    assert found.strange == ("train/z.png",) and "train/c.jpg" not in found
    assert [mask_name("train/b.jpg", shared) for shared in (False, True)] == ["train/b.png", "train/b.jpg.png"]


def test_ids_colours_and_sizes(tmp_path: Path) -> None:
    ids = np.arange(8, dtype=np.uint8).reshape(4, 2)
    save(tmp_path, "train/a.png", ids)
    save(tmp_path, "train/c.png", COLOURS[ids])
    found = find_mended(tmp_path, IMAGES)
    for name in ("train/a.jpg", "train/c.jpg"):
        assert np.array_equal(found.read(name, (4, 2)), ids)
        assert np.array_equal(found.read(name, (8, 4)), ids.repeat(2, axis=0).repeat(2, axis=1))


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LostFile, match=r"masks\.overrides = .*gone: no such folder"):
        find_mended(tmp_path / "gone", IMAGES)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    with pytest.raises(UserError, match=r"mended mask .*a\.png cannot be read"):
        find_mended(tmp_path, IMAGES).read("train/a.jpg", (4, 2))
