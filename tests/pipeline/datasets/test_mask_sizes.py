"""Sizes of label maps: what the strides of networks leave, and maps of one size for all images."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.datasets.mask_sizes import FITS, shown
from pipeline.datasets.mask_values import Misfit

CROPS = [(53, 21), *np.random.default_rng(0).integers((40, 16), (400, 200), (2000, 2)).tolist()]
ROUNDED = {
    "down": lambda side, stride: side // stride,
    "up": lambda side, stride: -(-side // stride),
    "nearest": lambda side, stride: int(side / stride + 0.5),
    "even": lambda side, stride: round(side / stride),
    "first pixels": lambda side, stride: (side - 1) // stride + 1,
    "both ends": lambda side, stride: side // stride + 1,
}


@pytest.mark.parametrize("stride", [2, 4, 8, 16])
@pytest.mark.parametrize("rounded", list(ROUNDED))
def test_a_map_of_any_stride_fits_however_it_was_rounded(stride: int, rounded: str) -> None:
    for size in CROPS:
        small = np.ones([ROUNDED[rounded](side, stride) for side in size], np.uint8)
        assert shown(small, tuple(size)) is small


@pytest.mark.parametrize(("shape", "size"), [((7, 3), (53, 40)), ((26, 10), (53, 30)), ((473, 473), (128, 64))])
def test_a_map_of_another_shape_does_not(shape: tuple[int, int], size: tuple[int, int]) -> None:
    with pytest.raises(Misfit, match="another shape") as caught:
        shown(np.ones(shape, np.uint8), size)
    assert caught.value.option == "fit=stretched"


def test_a_map_of_the_picture_as_it_is_stored_is_recognised() -> None:
    with pytest.raises(Misfit, match=r"lying on its side\. Make the masks from the images as they are shown"):
        shown(np.ones((32, 64), np.uint8), (64, 32))


@pytest.mark.parametrize("side", [(128, 64), (256, 128), (512, 512), (473, 473), (64, 128)])
@pytest.mark.parametrize("fit", FITS[1:])
def test_maps_of_one_size_show_crops_of_every_size(side: tuple[int, int], fit: str) -> None:
    """The tool is played: the image's pixels are painted into the map where it would put them, the rest is 9."""
    for height, width in CROPS[::100]:
        scale = min(side[0] / height, side[1] / width)
        size = side if fit == "stretched" else tuple(max(1, round(edge * scale)) for edge in (height, width))
        spare = [whole - used for whole, used in zip(side, size, strict=True)]
        before = [rest // 2 if fit == "letterboxed" else 0 for rest in spare]
        pads = [(first, rest - first) for first, rest in zip(before, spare, strict=True)]
        painted = np.pad(np.ones(size, np.uint8), pads, constant_values=9)
        assert painted.shape == side
        found = shown(painted, (height, width), fit)
        assert found.shape == size and (found == 1).all()
