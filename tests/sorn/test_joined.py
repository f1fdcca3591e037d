"""Convolutions joined with sums and ReLUs say what torch's layers say one by one."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sorn import joined as module
from sorn.backbones import build_backbone
from sorn.efficientnet_lite import SameConv2d
from sorn.folding import fold
from sorn.joined import ACTIVATIONS, available, convolved, use_joined
from sorn.narrow_maps import use_strided
from sorn.relu import FastReLU, FastReLU6

pytestmark = pytest.mark.skipif(not available(), reason="this torch has no oneDNN")
BACKBONES = ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_lite0")


def backbone(name: str) -> nn.Module:
    """Folded, with norms that are not the identity."""
    torch.manual_seed(0)
    network = build_backbone(name).eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    fold(network)
    return network.to(memory_format=torch.channels_last)


def image(channels: int = 3, height: int = 64, width: int = 32) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, channels, height, width).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
@torch.inference_mode()
def test_a_joined_backbone_says_the_same(name: str, dtype: torch.dtype, bound: float) -> None:
    plain = backbone(name).to(dtype)
    found = copy.deepcopy(plain)
    use_joined(found)
    kept = image().to(dtype)
    given = kept.clone()
    for ours, theirs in zip(found(given), plain(kept), strict=True):
        assert ours.dtype == dtype and ours.shape == theirs.shape
        assert float((ours - theirs).float().norm() / theirs.float().norm()) < bound
    assert torch.equal(given, kept)
    joined = [layer for layer in found.modules() if type(layer).__name__.startswith("Joined")]
    blocks = {"resnet18": 8, "resnet50": 16, "mobilenet_v2": 17, "efficientnet_lite0": 16}
    assert len(joined) == blocks[name]


def test_the_rectifiers_of_sequences_are_gone_and_the_names_of_blocks_stay() -> None:
    network = backbone("mobilenet_v2")
    use_joined(network)
    assert not any(type(layer) in (FastReLU, FastReLU6) for layer in network.modules())
    network = backbone("resnet18")
    before = set(network.state_dict())
    use_joined(network)
    assert set(network.state_dict()) == before


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("kind", ["plain", "depthwise", "same"])
@torch.inference_mode()
def test_every_join_is_the_layers_one_after_the_other(activation: str, sums: bool, kind: str) -> None:
    torch.manual_seed(2)
    convs = {"plain": nn.Conv2d(8, 12, 3, 2, 1), "depthwise": nn.Conv2d(8, 8, 3, 1, 1, groups=8)}
    conv = convs.get(kind, SameConv2d(8, 8, 5, 2, groups=8))
    given = image(8)
    expected = conv(given)
    added = torch.randn_like(expected) if sums else None
    expected = expected if added is None else expected + added
    top = {"none": (-torch.inf, torch.inf), "relu": (0.0, torch.inf), "relu6": (0.0, 6.0)}[activation]
    kept = torch.zeros(0) if added is None else added.clone()
    torch.testing.assert_close(convolved(conv, given, activation, added), expected.clamp(*top))
    assert added is None or torch.equal(added, kept), "what is added may be needed again"


@pytest.mark.parametrize("width", [1, 2, 3])
@torch.inference_mode()
def test_strided_convolutions_of_narrow_maps_keep_their_own_way(width: int) -> None:
    conv = nn.Conv2d(4, 6, 3, 2, 1)
    given = image(4, 9, width)
    expected = F.relu(conv(given))
    use_strided(conv)
    torch.testing.assert_close(convolved(conv, given, "relu"), expected)


def test_with_a_gradient_or_other_numbers_torch_computes() -> None:
    conv, given = nn.Conv2d(4, 4, 1), image(4)
    found = convolved(conv, given, "relu6", given)
    (gradient,) = torch.autograd.grad(found.sum(), conv.weight)
    assert gradient.any()
    with torch.inference_mode():
        doubles = convolved(conv.double(), given.double(), "relu")
    assert doubles.dtype == torch.float64


@pytest.mark.parametrize("fault", ["raises", "is wrong"])
def test_functions_of_another_torch_are_not_trusted(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(input: Tensor, weight: Tensor, *rest: object) -> Tensor:
        if fault == "raises":
            raise RuntimeError("mkldnn::_convolution_pointwise() is missing value for argument 'algorithm'")
        return F.conv2d(input, weight) + 1

    monkeypatch.setattr(module, "_joined", other)
    assert not available.__wrapped__()
    monkeypatch.undo()
    assert available.__wrapped__()


@torch.inference_mode()
def test_where_the_cpu_has_none_in_bfloat16_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda dtype=torch.float32: dtype == torch.float32)
    monkeypatch.setattr(module, "_joined", lambda *rest: pytest.fail("joined all the same"))
    conv, given = nn.Conv2d(4, 4, 1).bfloat16(), image(4).bfloat16()
    torch.testing.assert_close(convolved(conv, given, "relu"), F.relu(conv(given)))


def test_without_onednn_nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available", lambda *dtype: False)
    network = backbone("resnet18")
    use_joined(network)
    assert not any(type(layer).__name__.startswith("Joined") for layer in network.modules())
