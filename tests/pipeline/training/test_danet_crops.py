"""Crops for the labeler: image and mask stay together, the same crop every time, and nothing outside the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.runs.config import DanetConfig
from pipeline.training.danet_crops import CropDataset, coloured, covered, cut
from sorn.parts import TORSO

PLAIN = DanetConfig(image_size=(64, 32), zoom=0.0, jitter=0.0, flip=0.0)
WILD = DanetConfig(image_size=(64, 32))


def person(height: int = 90, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A white person on black: where the image is white the mask is torso."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 :, width // 4 : -width // 4] = TORSO
    return np.repeat((mask > 0)[..., None], 3, axis=2).astype(np.uint8) * 255, mask


def dataset(tmp_path: Path, config: DanetConfig, count: int = 3) -> CropDataset:
    records, masks = [], []
    for i in range(count):
        image, mask = person(90 + i, 40)
        for folder, pixels in (("images", image), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
        records.append(ImageRecord(f"labeler/{i}.png", tmp_path / "images" / f"{i}.png", i, 1, "labeler"))
        masks.append(tmp_path / "masks" / f"{i}.png")
    return CropDataset(records, masks, config)


def test_a_crop_shows_in_the_mask_what_it_shows_in_the_image() -> None:
    image, mask = person()
    for seed in range(20):
        pixels, parts = cut(image, mask, WILD, np.random.default_rng(seed))
        assert pixels.shape == (64, 32, 3) and parts.shape == (64, 32)
        assert set(np.unique(parts)) <= {0, TORSO}
        assert ((pixels[..., 0] > 127) == (parts == TORSO)).mean() > 0.97


def test_a_patch_hides_what_it_covers() -> None:
    image, mask = person(64, 32)
    hidden = 0
    for seed in range(10):
        other = np.full((10, 10, 3), 90, np.uint8)
        pixels, parts = covered(image, mask, other, np.random.default_rng(seed))
        patch = (pixels == 90).all(axis=2)
        assert patch.any() and not parts[patch].any() and np.array_equal(parts[~patch], mask[~patch])
        hidden += int(np.count_nonzero(mask) > np.count_nonzero(parts))
    assert hidden >= 5


def test_a_patch_shows_what_stands_beside_a_person_and_nobody() -> None:
    image, mask = person(64, 32)
    other = np.full((60, 30, 3), 200, np.uint8)
    other[:, 8:22] = 90  # somebody
    for seed in range(10):
        pixels, parts = covered(image, mask, other, np.random.default_rng(seed))
        changed = pixels[parts != mask]
        assert (changed > 150).all()


def test_colours_change_only_with_jitter() -> None:
    image, _ = person()
    rng = np.random.default_rng(0)
    mild = coloured(image, 0.0, rng).astype(int)
    assert np.abs(mild - image).mean() < 15, "only the noise is left"
    assert coloured(image, 0.4, rng).dtype == np.uint8


def test_a_crop_depends_on_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    data, again = dataset(tmp_path, WILD), dataset(tmp_path, WILD)
    data.epoch = again.epoch = 2
    first, second = data.__getitems__([0, 1, 2]), again.__getitems__([2, 0])
    assert np.array_equal(first.image[0], second.image[1]) and np.array_equal(first.mask[2], second.mask[0])
    again.epoch = 3
    assert not np.array_equal(again.__getitems__([0]).image[0], first.image[0])


def test_broken_files_are_named(tmp_path: Path) -> None:
    data = dataset(tmp_path, PLAIN)
    (tmp_path / "masks" / "1.png").write_bytes(b"no mask")
    with pytest.raises(UserError, match=r"masks/1\.png"):
        data.load(1)
    (tmp_path / "images" / "2.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"2\.png cannot be read as an image"):
        data.load(2)
