"""Pixels: decoding without surprises, and masks whose classes survive resizing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.pixels import decode, resize_image, resize_mask


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_every_format_becomes_rgb(tmp_path: Path, suffix: str) -> None:
    grey = np.full((6, 4), 90, np.uint8)
    Image.fromarray(grey).save(tmp_path / f"a.{suffix}")
    found = decode(tmp_path / f"a.{suffix}")
    assert found is not None and found.shape == (6, 4, 3) and found.dtype == np.uint8
    assert np.abs(found.astype(int) - 90).max() <= 2


def test_orientation_tags_are_ignored(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((6, 4, 3), np.uint8))
    exif = image.getexif()
    exif[274] = 6  # rotate by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif)
    found = decode(tmp_path / "a.jpg")
    assert found is not None and found.shape == (6, 4, 3)


def test_what_is_no_whole_image_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 40, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:900])
    assert decode(path) is None
    path.write_bytes(b"")
    assert decode(path) is None
    path.write_text("<html>not found</html>")
    assert decode(path) is None


def test_images_shrink_by_averaging() -> None:
    stripes = np.zeros((8, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    small = resize_image(stripes, (4, 8))
    assert small.shape == (4, 8, 3) and np.abs(small[:, 1:-1].astype(int) - 100).max() <= 8


def test_masks_take_the_class_at_the_centre_of_each_pixel() -> None:
    mask = np.array([[0, 1, 5, 5, 5, 7], [0, 2, 5, 5, 3, 7], [0, 4, 5, 5, 6, 7]], np.uint8)
    assert resize_mask(mask, (1, 2)).tolist() == [[2, 3]]
    assert resize_mask(mask, (3, 6)).tolist() == mask.tolist()
    assert np.array_equal(resize_mask(mask, (6, 12)), mask.repeat(2, axis=0).repeat(2, axis=1))
