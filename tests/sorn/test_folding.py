"""Frozen batch norms that the convolutions before them include."""

from __future__ import annotations

import copy

import pytest
import torch

from sorn.backbone import Backbone
from sorn.backbones import build_backbone
from sorn.folding import FoldedConv2d, IncludedNorm

NAMES = ["resnet18", "resnet50", "mobilenet_v2", "efficientnet_lite0"]


def trained(name: str) -> Backbone:
    """Backbone whose norms have seen images and have weights of their own."""
    torch.manual_seed(0)
    backbone = build_backbone(name)
    with torch.no_grad():
        backbone.train()(torch.randn(4, 3, 64, 32))
        for module in backbone.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return backbone


def gradients(backbone: Backbone, image: torch.Tensor) -> dict[str, torch.Tensor]:
    backbone.zero_grad()
    sum(found.square().mean() for found in backbone(image)).backward()
    return {name: value.grad for name, value in backbone.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("name", NAMES)
def test_maps_and_gradients_are_those_of_norms_in_evaluation_mode(name: str) -> None:
    plain, image = trained(name), torch.randn(2, 3, 64, 32)
    folded = copy.deepcopy(plain)
    folded.freeze_norms()
    folded.train()
    plain.eval()
    for one, other in zip(folded(image), plain(image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    mine, expected = gradients(folded, image), gradients(plain, image)
    assert mine.keys() == {name for name, value in folded.named_parameters() if value.requires_grad}
    for key, gradient in mine.items():
        scale = float(expected[key].abs().max())
        torch.testing.assert_close(gradient, expected[key], rtol=1e-2, atol=1e-3 * scale, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_values_stay(name: str) -> None:
    backbone = trained(name)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    backbone.freeze_norms()
    backbone.train()
    backbone(torch.randn(2, 3, 64, 32))
    after = backbone.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[key], before[key]) for key in before)
    build_backbone(name).load_state_dict(after)


def test_a_copy_follows_its_own_weights() -> None:
    backbone = trained("resnet18")
    backbone.freeze_norms()
    copied, image = copy.deepcopy(backbone), torch.randn(1, 3, 64, 32)
    expected = backbone(image).block4
    with torch.no_grad():
        for value in backbone.parameters():
            value.zero_()
    assert torch.equal(copied(image).block4, expected)
    assert not torch.equal(backbone(image).block4, expected)


def test_with_frozen_early_layers_only_their_norms_are_included() -> None:
    backbone = trained("efficientnet_lite0")
    backbone.freeze_early()
    folded = [conv for conv in backbone.modules() if isinstance(conv, FoldedConv2d)]
    included = [norm for norm in backbone.modules() if isinstance(norm, IncludedNorm)]
    norms = [norm for norm in backbone.modules() if isinstance(norm, torch.nn.BatchNorm2d)]
    assert 0 < len(folded) == len(included) < len(norms)
    assert all(not norm.training and not norm.weight.requires_grad for norm in included)
    backbone.freeze_norms()
    assert all(isinstance(norm, IncludedNorm) for norm in norms)
    backbone.freeze_norms()  # once for each norm
    assert [type(conv).__name__ for conv in folded] == ["FoldedSameConv2d"] * len(folded)
