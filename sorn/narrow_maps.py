"""Strided convolutions of maps that are one or two columns wide.

oneDNN 3.12 computes them in bf16 with numbers that it finds in freed memory: mostly they do not count, but where one is
nan, the result is nan on a CPU with AMX (findings/amx_nan_of_narrow_maps.sh), and the weights' gradient on any with
AVX-512 (findings/bf16_weight_gradient_of_one_column.sh). With two columns of results it does not, so the map gets
columns of zeros, and the second column of results is left out.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

NARROW = 2


class StridedConv2d(nn.Conv2d):
    """Convolution with a stride along the width. Input: [B, C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:
        if input.shape[3] > NARROW or input.device.type != "cpu":
            return super().forward(input)
        found: Tensor = super().forward(functional.pad(input, (0, self.stride[1])))
        return found[..., :-1]


def use_strided(network: nn.Module) -> None:
    """Replacement of a network's strided convolutions.

    Their parameters and names stay. Those of a subclass of torch's, and those of one pixel, stay as they are.
    """
    for conv in network.modules():
        if type(conv) is nn.Conv2d and conv.stride[1] > 1 and conv.kernel_size[1] > 1 and conv.groups == 1:
            conv.__class__ = StridedConv2d
