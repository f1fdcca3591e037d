"""Deconvolutions by phase: the same numbers as the deconvolutions themselves."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from sorn.config import SORNConfig
from sorn.folding import fold
from sorn.network import SORN
from sorn.phases import use_phases


def doubling(inputs: int = 5, bias: bool = False) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, 4, 3, stride=2, padding=1, output_padding=1, bias=bias)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (6, 5)])
@torch.inference_mode()
def test_a_deconvolution_by_phase_is_a_deconvolution(bias: bool, size: tuple[int, int]) -> None:
    torch.manual_seed(3)
    plain = nn.Sequential(nn.Sequential(doubling(bias=bias), nn.ReLU()))
    given, found = torch.randn(2, 5, *size), copy.deepcopy(plain)
    before = torch.get_rng_state()
    use_phases(found)
    assert torch.equal(torch.get_rng_state(), before), "a training draws other numbers after it validated"
    assert not any(isinstance(layer, nn.ConvTranspose2d) for layer in found.modules())
    torch.testing.assert_close(found(given), plain(given))


@torch.inference_mode()
def test_a_semantic_branch_by_phase_has_the_same_logits() -> None:
    torch.manual_seed(4)
    semantic = SORN(SORNConfig(identities=2, backbone="resnet10")).eval().semantic
    assert semantic is not None
    for layer in semantic.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    found = copy.deepcopy(semantic)
    fold(found)
    use_phases(found)
    given = torch.randn(2, 128, 8, 4), torch.randn(2, 256, 4, 2), torch.randn(2, 512, 4, 2)
    torch.testing.assert_close(found(*given), semantic(*given), rtol=1e-4, atol=1e-5)
    assert [type(layer).__name__ for layer in found.up1] == ["ZeroPad2d", "Conv2d", "Identity", "ReLU", "PixelShuffle"]


@pytest.mark.parametrize(
    "other",
    [
        nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1),
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
        nn.Conv2d(4, 4, 1),
    ],
)
def test_other_layers_stay(other: nn.Module) -> None:
    sequence = nn.Sequential(other, nn.ReLU())
    network = nn.Sequential(sequence)
    use_phases(network)
    assert network[0] is sequence and sequence[0] is other


def test_norms_are_to_be_folded_first() -> None:
    with pytest.raises(AssertionError, match="folded first"):
        use_phases(nn.Sequential(nn.Sequential(doubling(), nn.BatchNorm2d(4))))
