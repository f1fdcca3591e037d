"""Random changes of training images and masks, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sorn.augmentation import COARSE_SHARES, Augmentation, Draw, augment, boxed, coarser, coloured, covered
from sorn.parts import BACKGROUND

EVERYTHING = Augmentation(flip=0.5, zoom=0.2, partial=0.5, cover=0.5, coarse=0.5, jitter=0.3)


def boxes(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)


def test_images_and_masks_are_mirrored_together_and_the_batch_stays_as_it_is() -> None:
    image = torch.zeros(2, 2, 3, 3, dtype=torch.uint8)
    image[:, :, 0, 0] = 255  # a red left column
    mask = torch.tensor([[0, 3, 4], [0, 3, 4]], dtype=torch.uint8).repeat(2, 1, 1)
    x, ids = augment(image, mask, Draw(np.array([False, True])))
    assert x.shape == (2, 3, 2, 3) and x.dtype == torch.float32 and x.is_contiguous(memory_format=torch.channels_last)
    assert x[0, 0, 0].tolist() == [255, 0, 0] and x[1, 0, 0].tolist() == [0, 0, 255]
    assert ids[:, 0].tolist() == [[0, 3, 4], [4, 3, 0]], "the classes are side-symmetric: ids stay"
    assert image[1, 0, 0, 0] == 255


def test_a_box_is_stretched_over_the_image() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    mask = torch.tensor([[[1, 1, 2, 2]] * 2 + [[3, 3, 4, 4]] * 2], dtype=torch.uint8)
    whole, same = boxed(x, mask, boxes([0, 0, 1, 1]))
    assert torch.allclose(whole, x, atol=1e-5) and torch.equal(same, mask)
    lower_left, ids = boxed(x, mask, boxes([0, 0.5, 0.5, 0.5]))
    assert (ids == 3).all()
    # Pixel centres of the box's rows: 2 - 1/4, 2 + 1/4, 3 - 1/4 and 3 + 1/4, the last beyond the last row: its edge.
    assert torch.allclose(lower_left[0, 0, :, 0], torch.tensor([7.0, 9.0, 11.0, 12.0]), atol=1e-4)


def test_a_covered_place_shows_the_side_of_the_next_image_upside_down_and_is_background() -> None:
    rows = torch.arange(4.0).view(1, 1, 4, 1)
    x = (torch.tensor([10.0, 20.0]).view(2, 1, 1, 1) + rows).expand(2, 1, 4, 4)
    mask = torch.full((2, 4, 4), 5, dtype=torch.uint8)
    found, ids = covered(x, mask, boxes([0.5, 0.25, 0.5, 0.5], [0.3, 0.3, 0.0, 0.4]))
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[1:3, 2:] = True
    assert torch.equal(found[0, 0], torch.where(hidden, 23 - rows[0, 0], 10 + rows[0, 0]))
    assert torch.equal(ids[0], torch.where(hidden, BACKGROUND, 5).to(torch.uint8))
    assert torch.equal(found[1], x[1]) and (ids[1] == 5).all(), "a width of 0 covers nothing"
    assert ids.dtype == torch.uint8


def test_the_side_of_an_image_is_repeated_to_and_fro() -> None:
    """Nothing of its middle, where the person is."""
    x = torch.arange(16.0).expand(2, 1, 8, 16).contiguous()
    mask = torch.full((2, 8, 16), 5, dtype=torch.uint8)
    found, _ = covered(x, mask, boxes([0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]))
    assert found[0, 0, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2]


def test_coarser_images_lose_detail_and_keep_their_mean() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.uniform(0, 255, (3, 3, 24, 12)).astype(np.float32))
    found = coarser(x, torch.tensor([1.0, 0.5, COARSE_SHARES[0]]))
    assert torch.equal(found[0], x[0])
    deviation = [float(image.std()) for image in found]
    assert deviation[2] < deviation[1] < 0.8 * deviation[0]
    assert torch.allclose(found.mean(dim=(1, 2, 3)), x.mean(dim=(1, 2, 3)), rtol=0.05)


def test_colour_is_gain_gamma_contrast_and_saturation() -> None:
    x = torch.tensor([0.2, 0.6]).expand(1, 3, 1, 2).contiguous()
    same = [1.0] * 6
    assert torch.allclose(coloured(x, boxes(same)), x, atol=1e-6)
    gains = coloured(x, boxes([2.0, 1.0, 0.5, 1, 1, 1]))
    assert torch.allclose(gains[0, :, 0, 0], torch.tensor([0.4, 0.2, 0.1]), atol=1e-6)
    assert gains[0, 0, 0, 1] == 1, "clipped"
    assert torch.allclose(coloured(x, boxes([1, 1, 1, 2.0, 1, 1])), x**2, atol=1e-6)
    assert torch.allclose(coloured(x, boxes([1, 1, 1, 1, 0.5, 1]))[0, 0, 0], torch.tensor([0.3, 0.5]), atol=1e-6)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert torch.allclose(coloured(red, boxes([1, 1, 1, 1, 1, 0.0])).flatten(), torch.tensor(0.299), atol=1e-6)


def test_a_part_of_a_batch_is_drawn_as_in_the_whole() -> None:
    whole = EVERYTHING.draw(np.random.default_rng(3), 8)
    part = whole.of(slice(2, 6))
    for name in ("flip", "box", "cover", "coarse", "colour"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[2:6]), name


def test_flips_alone_draw_nothing_else_and_are_the_same_beside_other_changes() -> None:
    alone = Augmentation(flip=0.5).draw(np.random.default_rng(3), 8)
    assert alone.box is alone.cover is alone.coarse is alone.colour is None
    assert np.array_equal(alone.flip, EVERYTHING.draw(np.random.default_rng(3), 8).flip)


def test_draws_stay_within_what_the_options_say() -> None:
    draw = EVERYTHING.draw(np.random.default_rng(0), 4000)
    left, top, width, height = draw.box.T
    assert (left >= 0).all() and (top >= 0).all() and (left + width <= 1.0001).all() and (top + height <= 1.0001).all()
    assert width.min() >= 0.8 and 0.3 <= height.min() < 0.5, "a partial image keeps 0.4 of the height, zoomed by 0.2"
    assert (height < 0.72).mean() == pytest.approx(0.5 * 0.75, abs=0.1)
    left, top, width, height = draw.cover[draw.cover[:, 2] > 0].T
    assert len(left) == pytest.approx(2000, abs=120)
    assert width.min() >= 0.3 and width.max() <= 1 and height.min() >= 0.2 and height.max() <= 0.6
    assert (left >= 0).all() and (top >= 0).all() and (left + width <= 1.0001).all() and (top + height <= 1.0001).all()
    assert np.isclose(top + height, 1).mean() == pytest.approx(0.5, abs=0.05)
    assert set(draw.coarse.tolist()) == {1.0, *np.float32(COARSE_SHARES).tolist()}
    assert draw.colour[:, 3:].min() >= 0.7 and draw.colour[:, 3:].max() <= 1.3
    hue = draw.colour[:, 0] / draw.colour[:, 2]
    assert 0.8 < hue.min() < 0.9 and 1.1 < hue.max() < 1.25


def test_everything_at_once_gives_images_and_masks_for_the_network() -> None:
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 256, (6, 32, 16, 3), dtype=np.uint8))
    mask = torch.from_numpy(rng.integers(0, 8, (6, 32, 16), dtype=np.uint8))
    x, ids = augment(image, mask, EVERYTHING.draw(np.random.default_rng(1), 6))
    assert x.shape == (6, 3, 32, 16) and x.min() >= 0 and x.max() <= 255
    assert ids.shape == (6, 32, 16) and ids.dtype == torch.uint8 and ids.max() <= 7
