"""Deconvolutions 3x3 with stride 2, as convolutions by phase.

The results of each row and column, even or odd, are a phase: one position of the input gives all four at once. That
multiplies more, and takes 0.4 of oneDNN's time for a deconvolution in bfloat16 with AMX; in float32 it is slower.
OpenVINO computes these convolutions in int8, but no deconvolution whose input may be negative.
"""

from __future__ import annotations

import itertools
from typing import TypeGuard

import torch
from torch import nn

from sorn.unfilled import unfilled


@torch.no_grad()
def use_phases(network: nn.Module) -> None:
    """Replacement of sequences that begin with such a deconvolution.

    What follows it must act on each number alone, such as ReLU: then norms are folded (`sorn.folding.fold`). It comes
    before the results are put in their places, and so right behind the convolution.
    """
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Sequential) and len(layer) and _doubles(first := layer[0]):
                after = layer[1:]
                assert not list(after.parameters()), "norms are to be folded first"
                put = nn.PixelShuffle(2)  # of the phases, into their places
                setattr(module, name, nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), by_phase(first), *after, put))


def by_phase(deconv: nn.ConvTranspose2d) -> nn.Conv2d:
    """Convolution 2x2 that computes all phases of a deconvolution.

    Input: [B, C, H + 1, W + 1], with zeros below and on the right. Output: [B, 4 C', H, W], in the order of
    `nn.PixelShuffle`.
    """
    weight = deconv.weight  # [C, C', 3, 3]
    inputs, outputs = weight.shape[:2]
    phases = weight.new_zeros(outputs, 2, 2, inputs, 2, 2)
    for row, column, down, right in itertools.product(range(2), repeat=4):
        y, x = row + 1 - 2 * down, column + 1 - 2 * right
        if y >= 0 and x >= 0:  # result (2i + row, 2j + column) sees input (i + down, j + right) through it
            phases[:, row, column, :, down, right] = weight[:, :, y, x].T
    with unfilled():  # random numbers would be drawn in the middle of a training, when it validates
        conv = nn.Conv2d(inputs, 4 * outputs, kernel_size=2, bias=deconv.bias is not None)
    filled = {"weight": phases.reshape(conv.weight.shape)}
    if deconv.bias is not None:
        filled["bias"] = deconv.bias.repeat_interleave(4)
    conv.load_state_dict(filled, assign=True)
    return conv


def _doubles(layer: nn.Module) -> TypeGuard[nn.ConvTranspose2d]:
    if not isinstance(layer, nn.ConvTranspose2d) or layer.groups != 1:
        return False
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding, layer.dilation)
    return shape == ((3, 3), (2, 2), (1, 1), (1, 1), (1, 1))
