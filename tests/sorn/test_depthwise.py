"""Depthwise convolutions: values and gradients are those of torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sorn import depthwise as module
from sorn.backbones import build_backbone
from sorn.depthwise import DepthwiseConv2d, depthwise, use_depthwise

CHANNELS = 6
CASES = [(1, 1, 0), (3, 1, 1), (5, 1, 2), (5, 1, 0), (7, 1, 3), (3, 2, 0), (3, 2, 1), (5, 2, 0), (7, 2, 3), (5, 3, 2)]


def inputs(size: int, dtype: torch.dtype = torch.float32, layout: torch.memory_format | None = None) -> list[Tensor]:
    torch.manual_seed(0)
    image, weight = torch.randn(3, CHANNELS, 13, 8), torch.randn(CHANNELS, 1, size, size)
    image = image.contiguous(memory_format=layout or torch.contiguous_format)
    return [part.to(dtype).requires_grad_() for part in (image, weight, torch.randn(CHANNELS))]


def gradients(found: Tensor, parts: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad((found.float() * torch.linspace(-1, 1, found.numel()).view_as(found)).sum(), parts)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("size", "stride", "padding"), CASES)
def test_values_and_gradients_are_those_of_torch(
    size: int, stride: int, padding: int, layout: torch.memory_format
) -> None:
    parts = inputs(size, layout=layout)[:2]
    expected = F.conv2d(*parts, None, stride, padding, groups=CHANNELS)
    found = module._Depthwise.apply(*parts, None, stride, padding)
    torch.testing.assert_close(found, expected)
    for mine, torchs in zip(gradients(found, parts), gradients(expected, parts), strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "stride", "padding"), [(5, 1, 2), (3, 2, 0)])
def test_under_autocast_gradients_are_as_near_to_the_right_ones_as_those_of_torch(
    size: int, stride: int, padding: int
) -> None:
    parts = inputs(size)
    right = gradients(F.conv2d(*parts, stride, padding, groups=CHANNELS), parts)
    with torch.autocast("cpu", torch.bfloat16):
        found = depthwise(*parts, stride, padding)
        usual = F.conv2d(*parts, stride, padding, groups=CHANNELS)
    assert found.dtype == usual.dtype == torch.bfloat16
    for mine, torchs, exact in zip(gradients(found, parts), gradients(usual, parts), right, strict=True):
        assert mine.dtype == torch.float32  # of the parameter
        assert (mine - exact).norm() <= 1.2 * (torchs - exact).norm() + 1e-3 * exact.norm()


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    image, weight, bias = inputs(5, torch.bfloat16)
    found = depthwise(image.detach(), weight, None, 1, 2)
    (grad,) = torch.autograd.grad(found.sum(), [weight])
    assert grad.shape == weight.shape
    (grad,) = torch.autograd.grad(depthwise(image, weight.detach(), bias.detach(), 1, 2).sum(), [image])
    assert grad.shape == image.shape


def test_without_gradients_it_is_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_Depthwise", None)
    parts = inputs(5, torch.bfloat16)
    with torch.no_grad():
        assert torch.equal(depthwise(*parts, 1, 2), F.conv2d(*parts, 1, 2, groups=CHANNELS))


@pytest.mark.parametrize(("size", "stride", "dtype"), [(5, 1, torch.float32), (3, 1, torch.bfloat16)])
def test_where_torch_is_fast_its_gradients_stay(
    size: int, stride: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_Depthwise", None)
    parts = inputs(size, dtype)
    assert depthwise(*parts, stride, 1).requires_grad


@pytest.mark.parametrize(("rows", "size", "own"), [(4, 5, True), (5, 5, False), (2, 3, True), (3, 3, False)])
def test_a_map_with_fewer_rows_than_the_kernel_has_a_gradient_of_its_own(
    rows: int, size: int, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    gradient = module._weight_gradient
    monkeypatch.setattr(module, "_weight_gradient", lambda *given: asked.append(given[2]) or gradient(*given))
    image, weight, bias = inputs(size)
    image = image[:, :, :rows].detach().requires_grad_()
    parts, padding = [image, weight, bias], size // 2
    found, expected = depthwise(*parts, 1, padding), F.conv2d(*parts, 1, padding, groups=CHANNELS)
    torch.testing.assert_close(found, expected)
    for mine, torchs in zip(gradients(found, parts), gradients(expected, parts), strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-4)
    assert asked == [size] * own


def test_a_network_keeps_its_values_and_the_names_of_its_parameters() -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 4, 3)
    usual = [nn.Conv2d(4, 4, 3, dilation=2, groups=4), nn.Conv2d(4, 4, (3, 5), groups=4), nn.Conv2d(4, 8, 3, groups=4)]
    network = nn.Sequential(plain, nn.Conv2d(4, 4, 5, 2, 2, groups=4), *usual)
    image, names = torch.randn(2, 4, 40, 40), set(network.state_dict())
    before = network(image)
    use_depthwise(network)
    assert [type(conv) is DepthwiseConv2d for conv in network] == [False, True, False, False, False]
    torch.testing.assert_close(network(image), before)
    assert set(network.state_dict()) == names


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_backbones_learn_by_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    gradient = module._weight_gradient
    monkeypatch.setattr(module, "_weight_gradient", lambda *given: asked.append(given[2]) or gradient(*given))
    with torch.autocast("cpu", torch.bfloat16):
        found = build_backbone(name)(torch.randn(2, 3, 64, 32)).block4.sum()
    found.backward()
    assert len(asked) == {"mobilenet_v2": 3, "efficientnet_lite0": 11}[name]  # 5x5, or with a stride
