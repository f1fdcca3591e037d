"""Depthwise convolution with gradients that are fast on CPUs.

In bfloat16 the kernels of oneDNN are fast for the gradients of 3x3 weights with stride 1. The weight gradient of 5x5
takes a hundred times as long, and the input gradient with stride 2 eight times as long as in float32. In any precision
the weight gradient takes six to fifty times as long for a map with fewer rows than the kernel. So the weight gradient
is put together from those of 3x3 windows, and the input gradient with a stride is computed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 3  # rows and columns of the kernels that are fast


def depthwise(input: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Depthwise convolution without dilation, float [B, C, H', W'].

    input: float [B, C, H, W]. weight: float [C, 1, k, k], k odd. bias: float [C]. The result is that of `conv2d`; its
    gradients, where torch's own are slow on a CPU, differ in the last bits. Under autocast it is of that type.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
    size = weight.shape[-1]
    slow = input.shape[2] < size or (dtype == torch.bfloat16 and (stride > 1 or size > WINDOW))
    if not slow or not _learns_on_cpu(input, weight):
        return F.conv2d(input, weight, bias, stride, padding, groups=len(weight))
    bias = None if bias is None else bias.to(dtype)
    out: Tensor = _Depthwise.apply(input.to(dtype), weight.to(dtype), bias, stride, padding)
    return out


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution of a square kernel, without dilation. Input: [B, C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:
        return depthwise(input, self.weight, self.bias, self.stride[0], int(self.padding[0]))


def use_depthwise(network: nn.Module) -> None:
    """Replacement of a network's depthwise convolutions, whose parameters and names stay.

    Those of a subclass of torch's, with dilation, or with unequal sides stay as they are.
    """
    for conv in network.modules():
        if type(conv) is nn.Conv2d and _fits(conv):
            conv.__class__ = DepthwiseConv2d


def _fits(conv: nn.Conv2d) -> bool:
    depth = conv.groups == conv.in_channels == conv.out_channels > 1
    plain = conv.dilation == (1, 1) and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    square = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.padding))
    return depth and plain and square and conv.kernel_size[0] % 2 == 1


def _learns_on_cpu(input: Tensor, weight: Tensor) -> bool:
    learns = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    return learns and input.device.type == "cpu" and not torch.compiler.is_compiling()


class _Depthwise(torch.autograd.Function):
    """The convolution, with gradients of its own."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(input, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        input, weight = ctx.saved_tensors
        stride, padding = ctx.stride, ctx.padding
        grad = grad.contiguous(memory_format=torch.channels_last)
        for_input = _input_gradient(grad, input, weight, stride, padding) if ctx.needs_input_grad[0] else None
        for_weight = None
        if ctx.needs_input_grad[1]:
            framed = F.pad(input, (padding,) * 4) if padding else input
            for_weight = _weight_gradient(framed, grad, weight.shape[-1], stride)
        for_bias = None
        if ctx.needs_input_grad[2]:
            summed = torch.promote_types(grad.dtype, torch.float32)
            for_bias = grad.sum((0, 2, 3), dtype=summed).to(grad.dtype)
        return for_input, for_weight, for_bias, None, None


def _input_gradient(grad: Tensor, input: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    dtype = grad.dtype if stride == 1 else torch.float32
    found = _gradients(grad.to(dtype), input.to(dtype), weight.to(dtype), stride, padding, (True, False))[0]
    return found.to(grad.dtype)


def _weight_gradient(framed: Tensor, grad: Tensor, size: int, stride: int) -> Tensor:
    """Weight gradient [C, 1, size, size], from windows of WINDOW x WINDOW weights.

    framed: the input with its padding. With a stride, weights of one phase see only rows and columns of that phase.
    """
    out = grad.new_zeros(grad.shape[1], 1, size, size)
    for row in range(min(stride, size)):
        for column in range(min(stride, size)):
            phase, weights = framed[:, :, row::stride, column::stride], out[:, :, row::stride, column::stride]
            for top in _starts(weights.shape[2]):
                for left in _starts(weights.shape[3]):
                    place = weights[:, :, top : top + WINDOW, left : left + WINDOW]
                    found = _window_gradient(phase[:, :, top:, left:], grad)
                    place.copy_(found[:, :, : place.shape[2], : place.shape[3]])
    return out


def _starts(weights: int) -> range:
    """First rows of the windows that cover so many rows of weights."""
    return range(0, max(weights - 1, 1), WINDOW - 1)


def _window_gradient(input: Tensor, grad: Tensor) -> Tensor:
    """Gradient [C, 1, WINDOW, WINDOW] of the weights at the upper left of `input`."""
    height, width = grad.shape[2] + WINDOW - 1, grad.shape[3] + WINDOW - 1
    seen = input[:, :, :height, :width]
    seen = F.pad(seen, (0, width - seen.shape[3], 0, height - seen.shape[2]))
    seen = seen.contiguous(memory_format=torch.channels_last)
    return _gradients(grad, seen, grad.new_empty(grad.shape[1], 1, WINDOW, WINDOW), 1, 0, (False, True))[1]


def _gradients(
    grad: Tensor, input: Tensor, weight: Tensor, stride: int, padding: int, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    """Gradients by torch's own kernel. wanted: that of the input, and of the weight."""
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        grad,
        input,
        weight,
        None,
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        len(weight),
        [*wanted, False],
    )
    return found[0], found[1]
