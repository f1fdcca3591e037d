"""ReLU and ReLU6 that are fast in bfloat16 on CPUs.

torch widens and rounds every number, which takes three to five times as long as to read and write it. The results are
equal: what is not a number stays so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

INFINITE, SIX = 0x7F81, 0x40C0  # bits of what no result of ReLU is above, and of ReLU6
FEW = 1 << 14  # numbers that torch rectifies as fast
MOST_THREADS = 2  # of torch; more of them are faster than one that runs the kernel


class FastReLU(nn.ReLU):
    """ReLU in place."""

    def forward(self, input: Tensor) -> Tensor:
        return relu(input)


class FastReLU6(nn.ReLU6):
    """ReLU6 in place."""

    def forward(self, input: Tensor) -> Tensor:
        return relu6(input)


def use_relu(network: nn.Module) -> None:
    """Replacement of a network's ReLUs and ReLU6s that work in place."""
    fast = {nn.ReLU: FastReLU, nn.ReLU6: FastReLU6}
    for layer in network.modules():
        if type(layer) in fast and layer.inplace:
            layer.__class__ = fast[type(layer)]


def relu(input: Tensor) -> Tensor:
    """ReLU in place, of any shape and dtype."""
    return _rectified(input, INFINITE) if _fits(input) else F.relu(input, inplace=True)


def relu6(input: Tensor) -> Tensor:
    """ReLU6 in place, of any shape and dtype."""
    return _rectified(input, SIX) if _fits(input) else F.relu6(input, inplace=True)


def _fits(input: Tensor) -> bool:
    if input.dtype != torch.bfloat16 or input.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return (
        torch.get_num_threads() <= MOST_THREADS
        and input.numel() >= FEW
        and not input._is_view()
        and _dense(input) is not None
    )


def _dense(input: Tensor) -> Tensor | None:
    """The same numbers in the order of memory; None where there are gaps."""
    if input.is_contiguous():
        return input
    if input.ndim == 4 and input.is_contiguous(memory_format=torch.channels_last):
        return input.permute(0, 2, 3, 1)
    return None


def _rectified(input: Tensor, top: int) -> Tensor:
    if torch.is_grad_enabled() and input.requires_grad:
        found: Tensor = _Rectified.apply(input, top)
        return found
    torch.autograd.graph.increment_version(input)  # what has kept the former numbers for a gradient must notice
    return _cut(input, top)


def _cut(input: Tensor, top: int) -> Tensor:
    from sorn.relu_kernels import cut

    dense = _dense(input.detach())
    assert dense is not None, input.stride()
    cut(dense.reshape(-1).view(torch.int16).numpy().view(np.uint16), np.uint16(top))
    return input


class _Rectified(torch.autograd.Function):
    """The cut, with torch's gradient."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, top: int) -> Tensor:
        ctx.mark_dirty(input)
        ctx.save_for_backward(_cut(input, top))
        ctx.top = top
        return input

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (output,) = ctx.saved_tensors
        if ctx.top == SIX:
            return torch.ops.aten.hardtanh_backward(grad, output, 0.0, 6.0), None
        return torch.ops.aten.threshold_backward(grad, output, 0.0), None
