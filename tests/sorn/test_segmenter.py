"""The external segmenter: another network's part masks, cut into the stripes of this one."""

import types

import numpy as np
import pytest
import torch

from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.segmenter import visible_stripes

CPU = torch.device("cpu")


class White(torch.nn.Module):
    """Takes what is white for a person, at a quarter of the image's size."""

    semantic = True

    def forward(self, image: torch.Tensor) -> types.SimpleNamespace:
        assert not self.training
        red = image[:, 0, ::4, ::4]
        return types.SimpleNamespace(part_logits=torch.stack([-red, red], dim=1))


def batch(*white_rows: int) -> Batch:
    """Images of 96x32, white down to these rows and black below."""
    image = torch.zeros(len(white_rows), 96, 32, 3, dtype=torch.uint8)
    for pixels, rows in zip(image, white_rows, strict=True):
        pixels[:rows] = 255
    nothing = torch.zeros(len(white_rows), dtype=torch.int64)
    return Batch(image, image[..., 0], nothing, nothing, nothing > 0)


def test_scores_are_shares_of_the_other_networks_stripes():
    scores = visible_stripes(White(), [batch(96, 24), batch(64)], 2, CPU, "fp32")
    assert scores.dtype == np.float32
    assert scores == pytest.approx(np.array([[1, 1], [0.5, 0], [1, 1 / 3]]))
    assert visible_stripes(White(), [batch(64)], 3, CPU, "fp32").tolist() == [[1, 1, 0]]


def test_a_network_without_part_masks_is_no_segmenter():
    model = SORN(SORNConfig(backbone="resnet18", global_branch=False, semantic_branch=False))
    with pytest.raises(ValueError, match="needs a semantic branch"):
        visible_stripes(model, [batch(0)], 3, CPU, "fp32")
