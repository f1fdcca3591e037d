"""Convolutions joined with what follows them: a sum, ReLU or ReLU6.

oneDNN does that while a result is in its registers; torch passes over every map once more for each, and in bfloat16
widens and rounds it. The functions are those that torch's compiler calls. For inference alone: they have no gradient.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sorn.efficientnet_lite import LiteBlock, SameConv2d
from sorn.narrow_maps import NARROW, StridedConv2d
from sorn.relu import FastReLU, FastReLU6, relu, relu6

ACTIVATIONS: dict[str, tuple[str, list[float]]] = {
    "none": ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}
DTYPES = (torch.bfloat16, torch.float32)
TORCHVISION = ("torchvision.models.resnet", "torchvision.models.mobilenetv2")


def use_joined(network: nn.Module) -> None:
    """Replacement of convolutions that are followed by ReLU or a sum.

    The network is folded (`sorn.fused`), in evaluation mode and on a CPU. Known are the blocks of torchvision and of
    EfficientNet-Lite, and sequences; what else there is stays as it is.
    """
    if not available():
        return
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            _join_sequence(module)
        kind = type(module)
        forward = FORWARDS.get(kind.__name__)
        if forward and (kind is LiteBlock or kind.__module__ in TORCHVISION):
            module.__class__ = type(f"Joined{kind.__name__}", (kind,), {"forward": forward})


@cache
def available(dtype: torch.dtype = torch.float32) -> bool:
    """Whether this torch has joined convolutions that are right.

    The functions are torch's own affair, and may change; and a CPU without AVX-512 has none in bfloat16. One of each
    kind is tried.
    """
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")):  # type: ignore[no-untyped-call]
        return False
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        image = torch.arange(-16, 16).view(1, 2, 4, 4).to(dtype)  # whole numbers: exact in any type
        weight = torch.tensor([[1, -2], [3, 1]]).view(2, 2, 1, 1).to(dtype)
        plain, place = F.conv2d(image, weight), ((0, 0), (1, 1), (1, 1), 1)
        cases = (
            (None, "relu6", plain.clamp(0, 6)),
            (image, "relu", (plain + image).relu()),
            (image, "none", plain + image),
        )
        try:
            return all(
                torch.equal(_joined(image, weight, None, place, activation, added), expected)
                for added, activation, expected in cases
            )
        except (RuntimeError, TypeError):
            return False


def convolved(conv: nn.Conv2d, input: Tensor, activation: str = "none", added: Tensor | None = None) -> Tensor:
    """Convolution, then the sum with `added`, then the activation.

    input: [B, C, H, W]. activation: of ACTIVATIONS. added: [B, C', H', W'] or None.
    """
    if added is not None and activation == "relu6":  # oneDNN would, torch's function does not
        return relu6(convolved(conv, input, "none", added))
    alone = added is None and activation == "none"
    if alone or not _fits(conv, input):
        found: Tensor = conv(input)
        found = found if added is None else found + added
        return found if activation == "none" else relu(found) if activation == "relu" else relu6(found)
    if isinstance(conv, SameConv2d):
        input = conv.padded(input)
    place = (conv.padding, conv.stride, conv.dilation, conv.groups)
    return _joined(input, conv.weight, conv.bias, place, activation, added)


def _joined(
    input: Tensor, weight: Tensor, bias: Tensor | None, place: tuple[Any, ...], activation: str, added: Tensor | None
) -> Tensor:
    """The convolution by torch's function. place: padding, stride, dilation and groups."""
    name, scalars = ACTIVATIONS[activation]
    join: Any = torch.ops.mkldnn._convolution_pointwise
    if added is None:
        return join(input, weight, bias, *place, name, scalars, "")  # type: ignore[no-any-return]
    unary = (None, [], None) if name == "none" else (name, scalars, "")
    return join.binary(input, added, weight, bias, *place, "add", 1.0, *unary)  # type: ignore[no-any-return]


class ActivatedConv2d(nn.Module):
    """Convolution with an activation. Input: [B, C, H, W]."""

    def __init__(self, conv: nn.Conv2d, activation: str) -> None:
        super().__init__()
        self.conv, self.activation = conv, activation

    def forward(self, input: Tensor) -> Tensor:
        return convolved(self.conv, input, self.activation)


def _fits(conv: nn.Conv2d, input: Tensor) -> bool:
    if isinstance(conv, StridedConv2d) and input.shape[3] <= NARROW:
        return False
    there = input.device.type == "cpu" and input.dtype == conv.weight.dtype and input.dtype in DTYPES
    plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return there and plain and not torch.is_grad_enabled() and available(input.dtype)


def _join_sequence(sequence: nn.Sequential) -> None:
    """Convolutions of a sequence joined with the ReLU after them; folded norms may stand between."""
    names = [name for name, layer in sequence.named_children() if not isinstance(layer, nn.Identity)]
    kinds: dict[type, str] = {FastReLU: "relu", FastReLU6: "relu6"}
    for first, second in itertools.pairwise(names):
        conv, layer = sequence.get_submodule(first), sequence.get_submodule(second)
        if isinstance(conv, nn.Conv2d) and type(layer) in kinds:
            setattr(sequence, first, ActivatedConv2d(conv, kinds[type(layer)]))
            setattr(sequence, second, nn.Identity())


def _basic_block(block: Any, x: Tensor) -> Tensor:
    identity = x if block.downsample is None else block.downsample(x)
    return convolved(block.conv2, convolved(block.conv1, x, "relu"), "relu", identity)


def _bottleneck(block: Any, x: Tensor) -> Tensor:
    identity = x if block.downsample is None else block.downsample(x)
    inner = convolved(block.conv2, convolved(block.conv1, x, "relu"), "relu")
    return convolved(block.conv3, inner, "relu", identity)


def _inverted_residual(block: Any, x: Tensor) -> Tensor:
    inner = x
    for layer in block.conv[:-2]:
        inner = layer(inner)
    return convolved(block.conv[-2], inner, "none", x if block.use_res_connect else None)


def _lite_block(block: Any, x: Tensor) -> Tensor:
    inner = convolved(block._expand_conv, x, "relu6") if block.expands else x
    inner = convolved(block._depthwise_conv, inner, "relu6")
    return convolved(block._project_conv, inner, "none", x if block.adds else None)


FORWARDS = {
    "BasicBlock": _basic_block,
    "Bottleneck": _bottleneck,
    "InvertedResidual": _inverted_residual,
    "LiteBlock": _lite_block,
}
