"""Strided convolutions of narrow maps: the same numbers, whatever lies in freed memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sorn.backbones import build_backbone
from sorn.narrow_maps import StridedConv2d, use_strided


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (5, 2)])
@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_results_are_those_of_torch(width: int, kernel: int, padding: int) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 4, kernel, 2, padding)
    image = torch.randn(3, 6, 9, width)
    expected = plain(image)
    use_strided(plain)
    assert isinstance(plain, StridedConv2d)
    assert plain(image).shape == expected.shape
    torch.testing.assert_close(plain(image), expected)


def free_nans() -> None:
    """Freed memory full of nan."""
    sizes = (10**3, 10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6)
    freed = [torch.full((size,), float("nan")) for size in sizes for _ in range(4)]
    del freed


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("width", [1, 2])
def test_gradients_do_not_read_freed_memory(kernel: int, width: int) -> None:
    """On a CPU with AVX-512 the weight gradient of one column is nan without the replacement."""
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, kernel, 2, kernel // 2, bias=False).to(memory_format=torch.channels_last)
    use_strided(conv)
    for rows in (1, 3, 12):
        image = torch.randn(8, 64, rows, width).contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            free_nans()
            result = conv(image)
            free_nans()
            gradients = torch.autograd.grad(result, (image, conv.weight), torch.ones_like(result))
        for values in (result, *gradients):
            assert bool(values.isfinite().all())


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2", "efficientnet_lite0"])
def test_freed_memory_does_not_count(name: str) -> None:
    """On a CPU with AMX this fails for resnet18 without the replacement."""
    torch.manual_seed(0)
    network = build_backbone(name).to(memory_format=torch.channels_last).eval()
    image = torch.randn(2, 3, 96, 16).contiguous(memory_format=torch.channels_last)
    for _ in range(3):
        free_nans()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            assert network(image).block4.isfinite().all()
