"""Cloth colours, tiles and prints."""

import numpy as np
import pytest

from pipeline.datasets.synped.fashion import ABROAD, HOME, Fashion
from pipeline.datasets.synped.prints import DRAWERS, Print, image, paint
from pipeline.datasets.synped.texture import (
    KINDS,
    TILE,
    Fabric,
    draw_accent,
    draw_colour,
    from_oklch,
    lookup,
    tile,
    waves,
)

_COLOURS = ((0.8, 0.8, 0.8), (0.02, 0.02, 0.05), (0.5, 0.1, 0.1), (0.1, 0.3, 0.1))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_tiles_are_colours_and_depend_on_the_seed_alone(kind: str) -> None:
    fabric = Fabric(kind, _COLOURS, seed=4)
    first = tile(fabric)
    assert first.shape == (TILE, TILE, 3) and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    tile.cache_clear()
    np.testing.assert_array_equal(first, tile(fabric))


@pytest.mark.parametrize("kind", ["stripes", "plaid", "flowers", "camouflage", "marble"])
def test_another_seed_is_another_fabric(kind: str) -> None:
    assert (tile(Fabric(kind, _COLOURS, seed=1)) != tile(Fabric(kind, _COLOURS, seed=2))).any()


def test_stripes_run_around_and_upright_ones_down() -> None:
    stripes, upright = tile(Fabric("stripes", _COLOURS, seed=1)), tile(Fabric("upright", _COLOURS, seed=1))
    assert np.ptp(stripes, axis=1).max() == 0 and np.ptp(stripes, axis=0).max() > 0.3
    assert np.ptp(upright, axis=0).max() == 0 and np.ptp(upright, axis=1).max() > 0.3


def test_lookup_repeats_and_interpolates() -> None:
    ramp = np.zeros((4, 4, 1), dtype=np.float32)
    ramp[:, 1] = 1.0
    across = np.array([0.0, 0.1, 0.05, 0.1 + 0.4, 0.1 - 0.4])
    np.testing.assert_allclose(lookup(ramp, across, 0 * across, 0.4)[:, 0], [0, 1, 0.5, 1, 1], atol=1e-6)


def test_oklch_has_white_grey_and_red_where_they_belong() -> None:
    np.testing.assert_allclose(from_oklch(1.0, 0.0, 0.0), 0.9)  # no cloth is whiter
    np.testing.assert_allclose(from_oklch(0.5, 0.0, 123.0), 0.125, atol=1e-3)
    red, green, blue = from_oklch(0.6, 0.2, 25.0)
    assert red > 3 * max(green, blue)


@pytest.mark.parametrize("fashion", [HOME, ABROAD], ids=["home", "abroad"])
def test_clothes_are_mostly_dark_or_grey_with_some_of_everything(fashion: Fashion) -> None:
    rng = np.random.default_rng(0)
    colours = np.array([draw_colour(rng, fashion.palette) for _ in range(2000)])
    spread = np.ptp(np.cbrt(colours), axis=1)
    assert 0.08 < (spread > 0.35).mean() < 0.35  # saturated
    assert (colours.max(axis=1) < 0.06).mean() > 0.2  # dark
    assert (colours.min(axis=1) > 0.55).mean() > 0.08  # white


def test_an_accent_can_be_told_from_its_ground() -> None:
    rng = np.random.default_rng(1)
    for ground in _COLOURS:
        accent = draw_accent(rng, HOME.palette, ground)
        assert np.abs(np.cbrt(accent) - np.cbrt(ground)).max() > 0.2


def test_waves_have_unit_spread() -> None:
    points = np.random.default_rng(2).uniform(0, 5, (20000, 3)).astype(np.float32)
    field = waves(points, 0.1, seed=3)
    assert abs(field.mean()) < 0.05 and 0.9 < field.std() < 1.1


@pytest.mark.parametrize("kind", sorted(DRAWERS))
def test_prints_cover_something_with_their_colours(kind: str) -> None:
    picture = image(Print(kind, _COLOURS[1:], seed=5, width=0.2, height=0.2))
    assert set(np.unique(picture[..., 3])) <= {0.0, 1.0}
    assert picture[..., 3].mean() > 0.02


def test_a_print_lies_on_its_side_of_the_shirt_only() -> None:
    design = Print("picture", _COLOURS[2:], seed=6, width=0.2, height=0.2, up=0.3)
    places = np.array([[0, -0.1, 0.3], [0, 0.1, 0.3], [0.3, -0.1, 0.3], [0, -0.1, 0.1]], dtype=np.float32)
    albedo = np.full((4, 3), 0.9, dtype=np.float32)
    paint(design, albedo, places)
    assert (albedo[0] != 0.9).any() and (albedo[1:] == 0.9).all()
