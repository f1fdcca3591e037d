"""Stripe visibility from keypoints and from an external segmenter."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch

from sorn.batch import Batch
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.normalisation import IMAGENET
from sorn.sample import JOINTS
from sorn.visibility import keypoint_visibility, segmenter_visibility

CPU = torch.device("cpu")


def pose(*landmarks: tuple[float, float, float]) -> np.ndarray:
    """[17, 3] float32: these landmarks, the others unknown."""
    keypoints = np.zeros((len(JOINTS), 3), np.float32)
    for joint, landmark in enumerate(landmarks):
        keypoints[joint] = landmark
    return keypoints


def test_the_surest_landmark_of_a_stripe_is_its_score() -> None:
    scores = keypoint_visibility(np.stack([pose((0.5, 0.1, 0.3), (0.5, 0.2, 0.8), (0.2, 0.9, 0.4)), pose()]), 3)
    assert scores.dtype == np.float32
    assert scores == pytest.approx(np.array([[0.8, 0, 0.4], [0, 0, 0]]))


def test_borders_belong_to_the_lower_stripe_and_the_outside_to_none() -> None:
    for landmark, expected in (
        ((0.5, 0.0, 1), [1, 0]),
        ((0.0, 0.4999, 1), [1, 0]),
        ((0.5, 0.5, 1), [0, 1]),
        ((0.5, 1.0, 1), [0, 0]),
        ((0.5, -0.01, 1), [0, 0]),
        ((1.0, 0.7, 1), [0, 0]),
        ((-0.1, 0.7, 1), [0, 0]),
    ):
        assert keypoint_visibility(pose(landmark)[None], 2).tolist() == [expected], landmark


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("stripes", [0, 1, 6])
def test_shapes(n: int, stripes: int) -> None:
    assert keypoint_visibility(np.zeros((n, 17, 3), np.float32), stripes).shape == (n, stripes)


class White(torch.nn.Module):
    """Takes what is white for a person, at a quarter of the image's size."""

    semantic, normalisation = True, IMAGENET

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
    scores = segmenter_visibility(White(), [batch(96, 24), batch(64)], 2, CPU, "fp32")
    assert scores.dtype == np.float32
    assert scores == pytest.approx(np.array([[1, 1], [0.5, 0], [1, 1 / 3]]))
    assert segmenter_visibility(White(), [batch(64)], 3, CPU, "fp32").tolist() == [[1, 1, 0]]


def test_a_network_without_part_masks_is_no_segmenter():
    model = SORN(SORNConfig(backbone="resnet18", global_branch=False, semantic_branch=False))
    with pytest.raises(ValueError, match="needs a semantic branch"):
        segmenter_visibility(model, [batch(0)], 3, CPU, "fp32")
