"""Colour histograms by hand: which colour lies in which bin, what counts how much, what they do not see."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from sorn.colour import BINS, SPREAD, bin_table, colour_bins, colour_histograms, stripes_for

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def plain(*colours: tuple[int, int, int], height: int = 12, width: int = 8) -> np.ndarray:
    """One image [1, height, width, 3] of bands of equal height, top to bottom."""
    rows = np.repeat(np.array(colours, np.uint8), height // len(colours), axis=0)
    return np.repeat(rows[None, :, None], width, axis=2)


def bin_of(*colour: int) -> tuple[int, int, int]:
    """(hue, saturation, value)."""
    number = int(colour_bins(np.array(colour, np.uint8)))
    return number // 16, number // 4 % 4, number % 4


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        (RED, (0, 3, 3)),
        ((255, 255, 0), (1, 3, 3)),  # yellow, 60 degrees; a bin is 45 wide
        (GREEN, (2, 3, 3)),
        ((0, 255, 255), (4, 3, 3)),  # 180 degrees, the first of its bin
        (BLUE, (5, 3, 3)),
        ((255, 0, 255), (6, 3, 3)),
        ((255, 0, 1), (7, 3, 3)),  # just below 360
        ((128, 64, 64), (0, 2, 2)),  # half as much green and blue: saturation 1/2, the first of its bin
        ((100, 99, 99), (0, 0, 1)),
        ((0, 0, 0), (0, 0, 0)),
        ((63, 63, 63), (0, 0, 0)),  # grey has no hue and no saturation
        ((64, 64, 64), (0, 0, 1)),
        ((255, 255, 255), (0, 0, 3)),
    ],
)
def test_bins_by_hand(colour: tuple[int, int, int], expected: tuple[int, int, int]) -> None:
    assert bin_of(*colour) == expected


def test_bins_are_those_of_the_usual_hsv() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    for colour, number in zip(colours, colour_bins(colours), strict=True):
        h, s, _ = colorsys.rgb_to_hsv(*(colour / 255))
        near_border = min(abs(8 * h - round(8 * h)), abs(4 * s - round(4 * s))) < 1e-9
        expected = int(8 * h) % 8 * 16 + min(int(4 * s), 3) * 4 + int(colour.max()) // 64
        assert near_border or number == expected, colour


def test_the_table_holds_the_bin_of_every_colour() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (1000, 3)).astype(np.uint8)
    red, green, blue = colours.T.astype(int)
    assert (bin_table()[(red * 256 + green) * 256 + blue] == colour_bins(colours)).all()


def test_every_colour_has_a_bin_and_every_bin_but_dark_hues_a_colour() -> None:
    side = np.arange(0, 256, 3, dtype=np.uint8)
    found = colour_bins(np.stack(np.meshgrid(side, side, side), axis=-1))
    assert found.min() == 0 and found.max() == BINS - 1 and len(np.unique(found)) == BINS


def test_a_red_upper_half() -> None:
    found = colour_histograms(plain(RED, (128, 128, 128)), 6)
    assert found.shape == (1, 6, BINS) and found.dtype == np.float32
    red, grey = 0 * 16 + 3 * 4 + 3, 2
    assert (found[0, :3, red] == 1).all() and (found[0, 3:, grey] == 1).all()
    assert found.sum() == 6, "nothing else"


def test_a_column_counts_by_its_distance_from_the_middle() -> None:
    image = plain(GREEN, width=4)
    image[:, :, 0] = BLUE  # its centre is 3/8 of the width from the middle, the next one's 1/8
    outer, inner = (np.exp(-((x / SPREAD) ** 2) / 2) for x in (3 / 8, 1 / 8))
    found = colour_histograms(image, 1)[0, 0]
    assert found[int(colour_bins(np.array(BLUE)))] == pytest.approx(np.sqrt(outer / (2 * outer + 2 * inner)))
    assert np.linalg.norm(found) == pytest.approx(1)


def test_what_is_like_what() -> None:
    """A mirrored image is the same to it; one that is upside down, or brighter, is not."""
    noise = np.random.default_rng(1).integers(0, 120, (1, 12, 8, 3)).astype(np.uint8)
    mirrored, upside_down, brighter = noise[:, :, ::-1], noise[:, ::-1], noise * 2
    found = colour_histograms(np.concatenate([noise, mirrored, upside_down, brighter]), 2)
    likeness = (found[0] * found).sum(axis=(1, 2)) / 2
    assert likeness[:2] == pytest.approx([1, 1])
    assert likeness[3] < likeness[2] < 0.999
    assert found[2, ::-1] == pytest.approx(found[0])


def test_many_images_are_those_one_by_one() -> None:
    """Work is cut into pieces of some images; heights need not divide."""
    images = np.random.default_rng(2).integers(0, 256, (9, 250, 150, 3)).astype(np.uint8)
    together = colour_histograms(images, 7)
    assert (together == np.concatenate([colour_histograms(image[None], 7) for image in images])).all()
    assert np.linalg.norm(together, axis=2) == pytest.approx(np.ones((9, 7)))
    assert colour_histograms(images[:0]).shape == (0, 6, BINS)


def test_more_stripes_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="6 stripes do not fit into 4 rows"):
        colour_histograms(plain(RED, height=4))


@pytest.mark.parametrize(("parts", "expected"), [(0, 6), (1, 6), (2, 6), (3, 6), (4, 8), (5, 10), (6, 6), (8, 8)])
def test_stripes_are_six_or_a_multiple_of_the_networks(parts: int, expected: int) -> None:
    assert stripes_for(parts) == expected
