"""Whole-batch operations against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sorn.batch import Batch, reduce_masks, to_input
from sorn.normalisation import IMAGENET, TENSORFLOW


def masks(rows: list[list[int]]) -> torch.Tensor:
    return torch.tensor([rows], dtype=torch.uint8)


def test_input_is_normalised_and_channels_last() -> None:
    image = torch.zeros(2, 2, 3, 3, dtype=torch.uint8)
    image[:, :, 0, 0] = 255  # a red left column
    x = to_input(image, IMAGENET)
    assert x.shape == (2, 3, 2, 3) and x.dtype == torch.float32 and x.is_contiguous(memory_format=torch.channels_last)
    red, black = (1 - IMAGENET.mean[0]) / IMAGENET.std[0], -IMAGENET.mean[0] / IMAGENET.std[0]
    assert torch.allclose(x[1, 0, 0], torch.tensor([red, black, black]), atol=1e-5)
    assert torch.allclose(x[:, 2], torch.tensor(-IMAGENET.mean[2] / IMAGENET.std[2]), atol=1e-5)
    assert image[1, 0, 0, 0] == 255, "the batch itself must stay as it is"
    assert torch.allclose(to_input(image, TENSORFLOW)[1, 0, 0], torch.tensor([128, -127, -127]) / 128, atol=1e-6)


def test_majority_and_its_ties() -> None:
    mask = masks([[7, 7, 2, 1], [7, 0, 1, 2]])
    assert reduce_masks(mask, (1, 2), 8, "majority").tolist() == [[[7, 1]]]
    assert reduce_masks(mask, (1, 2), 8, "nearest").tolist() == [[[0, 2]]]
    assert reduce_masks(mask, (1, 2), 8, "majority").dtype == torch.int64


def test_collapse_comes_before_the_majority() -> None:
    mask = masks([[0, 0, 3], [3, 4, 4]])  # upper and lower arm together outvote the background
    assert reduce_masks(mask, (1, 1), 8, "majority").item() == 0
    assert reduce_masks(mask, (1, 1), 5, "majority").item() == 3
    assert reduce_masks(mask, (1, 1), 2, "majority").item() == 1


def test_majority_equals_counting_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 8, (3, 24, 16), dtype=np.uint8)
    fast = reduce_masks(torch.from_numpy(mask), (6, 4), 8, "majority").numpy()
    for b, y, x in np.ndindex(fast.shape):
        block = mask[b, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
        assert fast[b, y, x] == np.bincount(block.ravel(), minlength=8).argmax()


def test_sizes_and_names_that_cannot_be_meant_are_refused() -> None:
    mask = torch.zeros(1, 6, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="6x4 cannot be reduced to 4x4"):
        reduce_masks(mask, (4, 4), 8, "majority")
    with pytest.raises(ValueError, match="one of majority, nearest"):
        reduce_masks(mask, (3, 2), 8, "mean")
    with pytest.raises(ValueError, match="one of 2, 5, 8"):
        reduce_masks(mask, (3, 2), 3, "majority")


def test_a_batch_moves_as_one() -> None:
    batch = Batch(*(torch.zeros(2, dtype=torch.int64) for _ in range(5)))
    assert len(batch) == 2 and batch.to("meta").label.device.type == "meta"
