"""Pictures put where the parts in them belong: the network's masks decide, the files' sizes keep proportions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from pipeline.datasets.synped.part_heights import PART_HEIGHTS
from pipeline.features.embedding import as_batch
from pipeline.features.placing import in_place, second_views, usual_width
from sorn.normalisation import IMAGENET

SIZE = (96, 32)


def upper_half() -> np.ndarray:
    """Predicted mask of a person who is cut at half of the height, each part in columns of its own."""
    mask = np.zeros((96, 32), np.uint8)
    for part, (top, bottom) in enumerate(PART_HEIGHTS[:4], 1):
        mask[round(2 * top * 96) : round(2 * bottom * 96), 6 * part : 6 * part + 6] = part
    return mask


def seeing(*masks: np.ndarray) -> Any:
    """Inference that predicts these masks."""
    network = SimpleNamespace(normalisation=IMAGENET)
    return SimpleNamespace(network=network, explain=lambda batch: (None, np.stack(masks)))


def test_a_cut_picture_is_put_in_its_place_and_a_whole_one_stays() -> None:
    whole = np.zeros((96, 32), np.uint8)
    whole[5:15], whole[88:] = 1, 7
    inference = seeing(upper_half(), whole)
    image = np.full((*SIZE, 3), 200, np.uint8)
    batch = as_batch([image, image])
    found = in_place(inference, batch, [(96, 64), None]).image  # as wide in the frame as it was
    assert torch.equal(found[1], batch.image[1]) and (batch.image == 200).all(), "the batch itself stays"
    assert (found[0, :40] == 200).all()
    assert (found[0, 56:] == torch.tensor([124, 116, 104], dtype=torch.uint8)).all()
    narrow = in_place(inference, batch, [None, None], usual=0.2).image[0]
    assert (narrow[:40, 10:22] == 200).all() and (narrow[:, :6] != 200).all()
    seated = in_place(inference, batch, [None, None]).image
    assert torch.equal(seated, batch.image), "as wide as other pictures: not cut"


def test_only_a_cut_picture_has_a_second_view() -> None:
    whole = np.zeros((96, 32), np.uint8)
    whole[5:15], whole[88:] = 1, 7
    inference = seeing(whole, upper_half(), whole)
    batch, sizes = as_batch([np.full((*SIZE, 3), value, np.uint8) for value in (10, 200, 10)]), [None, (96, 64), None]
    moved, cut = second_views(inference, batch, sizes)
    assert moved.tolist() == [False, True, False] and cut.index.tolist() == [1]
    assert torch.equal(cut.image[0], in_place(inference, batch, sizes).image[1])


def test_the_usual_width_is_the_median_of_the_gallery() -> None:
    assert usual_width([(100, 40), (100, 50), (90, 90)]) == 0.5
    assert usual_width([]) == 0
