"""EfficientNet-Lite0 as a backbone.

Tan and Le, ICML 2019, in the Lite variant of 2020: EfficientNet-B0 without squeeze and excitation, with ReLU6 for
swish. It is from TensorFlow, and so are its padding, its constants of batch normalisation and the normalisation of its
input.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from sorn.backbone import Backbone, Stages, keep_resolution
from sorn.config import STRIDE
from sorn.depthwise import depthwise
from sorn.normalisation import TENSORFLOW
from sorn.relu import relu6

STEM, HEAD = 32, 1280  # channels; the Lite variants scale neither
STAGES = (  # expansion, channels, blocks, stride of the first, kernel: those of EfficientNet-B0
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
ENDS = (4, 10)  # last blocks of stride 8 and 16


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's padding "same".

    With stride 2 an even map gets one more row and column below and on the right than above and on the left. Input:
    [B, C, H, W]; H and W even with stride 2.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def padded(self, input: Tensor) -> Tensor:
        """The map with the rows and columns that `padding` does not add."""
        if self.stride == (1, 1):
            return input
        before, after = (self.kernel_size[0] - 2) // 2, (self.kernel_size[0] - 1) // 2
        return F.pad(input, (before, after, before, after))

    def forward(self, input: Tensor) -> Tensor:
        input = self.padded(input)
        if self.groups == self.in_channels and self.dilation == (1, 1):
            return depthwise(input, self.weight, self.bias, self.stride[0], int(self.padding[0]))
        return super().forward(input)


class LiteBlock(nn.Module):
    """Inverted residual block: expand, filter every channel, project."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = SameConv2d(inputs, inner, 1), _norm(inner)
        self._depthwise_conv, self._bn1 = SameConv2d(inner, inner, kernel, stride, groups=inner), _norm(inner)
        self._project_conv, self._bn2 = SameConv2d(inner, outputs, 1), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        inner = relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        inner = relu6(self._bn1(self._depthwise_conv(inner)))
        projected: Tensor = self._bn2(self._project_conv(inner))
        return x + projected if self.adds else projected


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0.

    The parameters have the names of the published weights, which begin with an underscore. The last map is that of the
    1x1 convolution with 1280 channels.
    """

    normalisation = TENSORFLOW
    head = ("_fc.",)
    channels = (40, 112, HEAD)

    def __init__(self, stride: int = STRIDE) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = SameConv2d(3, STEM, 3, 2), _norm(STEM)
        self._blocks = nn.ModuleList()
        inputs = STEM
        for expansion, outputs, blocks, first, kernel in STAGES:
            for number in range(blocks):
                step = 1 if number else first
                self._blocks.append(LiteBlock(inputs, outputs, expansion, step, kernel))
                inputs = outputs
        self._conv_head, self._bn1 = SameConv2d(inputs, HEAD, 1), _norm(HEAD)
        for conv in (module for module in self.modules() if isinstance(module, nn.Conv2d)):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")
        second, third = ENDS
        keep_resolution(self._blocks[second + 1 : third + 1], self._blocks[third + 1 :], stride)

    def forward(self, image: Tensor) -> Stages:
        x, maps = relu6(self._bn0(self._conv_stem(image))), []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in ENDS:
                maps.append(x)
        block2, block3 = maps
        return Stages(block2, block3, relu6(self._bn1(self._conv_head(x))))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
