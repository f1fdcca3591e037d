"""Crop to region and back: proportions, black borders, and pixels where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelers.blazepose_region import Region, cut, put_back

SAME = np.arange(256, dtype=np.float32)  # levels that leave pixels as they are


def test_a_square_around_a_crop_keeps_its_proportions() -> None:
    image = np.full((200, 100, 3), 255, np.uint8)
    square = Region.of_image(image.shape).around(1.0)
    assert square == Region(-50, 0, 200, 200)
    pixels = cut(image, square, 64, SAME)
    assert (pixels[:, 16:48] == 255).all() and not pixels[:, :16].any() and not pixels[:, 48:].any()


def test_a_region_within_the_image_and_beyond_it() -> None:
    image = np.arange(100, dtype=np.uint8).reshape(10, 10)[..., None].repeat(3, axis=2)
    assert np.array_equal(cut(image, Region(2, 3, 4, 4), 4, SAME), image[3:7, 2:6])
    beyond = cut(image, Region(-2, 8, 4, 4), 4, SAME)
    assert np.array_equal(beyond[:2, 2:], image[8:, :2]) and not beyond[2:].any() and not beyond[:, :2].any()
    assert not cut(image, Region(20, 0, 5, 5), 4, SAME).any() and not cut(image, Region(0, -9, 5, 5), 4, SAME).any()


def test_levels_are_what_a_network_sees_of_the_same_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 12, 3), dtype=np.uint8)
    levels = np.linspace(-1, 1, 256, dtype=np.float32)
    for region in (Region.of_image(image.shape).around(1.0), Region(3, 4, 5, 5), Region(20, 0, 5, 5)):
        found = cut(image, region, 32, levels)
        assert found.dtype == np.float32 and np.array_equal(found, levels[cut(image, region, 32, SAME).astype(int)])


def test_what_a_network_says_goes_back_to_the_pixels_that_it_saw() -> None:
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.random((5, 4)), np.ones((8, 8)))  # [40, 32]
    image = (255 * blocks)[..., None].repeat(3, axis=2).astype(np.uint8)
    for region in (Region.of_image(image.shape).around(1.0), Region.of_image(image.shape).around(1.25)):
        values = cut(image, region, 256, SAME)[..., 0].astype(np.float32) / 255
        back = put_back(values, region, (40, 32), (40, 32))
        middles = back[4::8, 4::8]
        assert middles == pytest.approx(blocks[4::8, 4::8], abs=0.02)
    part = put_back(np.ones((16, 16), np.float32), Region(8, 10, 8, 20), (40, 32), (40, 32))
    assert part[10:30, 8:16].min() == 1 and part.sum() == 20 * 8
    half = put_back(np.ones((16, 16), np.float32), Region(8, 10, 8, 20), (40, 32), (20, 16))
    assert half[5:15, 4:8].min() == 1 and half.sum() == 10 * 4


def test_points_of_a_region_in_pixels_of_the_image() -> None:
    points = Region.square(10, 20, 8).to_image(np.array([[0.5, 0.5], [0, 1]]))
    assert points.tolist() == [[10, 20], [6, 24]]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_thin_images_are_seen(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    region = Region.of_image(size).around(1.25)
    assert cut(image, region, 256, SAME).max() == 200
    assert put_back(np.ones((256, 256), np.float32), region, size, size).min() == 1
