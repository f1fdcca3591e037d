"""Backbone with last stride 1 (Sections III-A, III-D)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sorn.config import STRIDE
from sorn.depthwise import depthwise
from sorn.folding import fold_frozen
from sorn.normalisation import IMAGENET, Normalisation

SHOWN = 3  # names in a message
LOOK = (64, 32)  # height, width of an image that shows what a map depends on


class Stages(NamedTuple):
    """Feature maps of three stages of a backbone.

    In a ResNet they are the stages 2, 3 and 4.

    block2: [B, c2, 2h, 2w]. block3: [B, c3, h, w]. block4: [B, c, h, w]. An input of 384x128 pixels gives h = 24, w =
    8. With stride 8 all three have h = H/8, w = W/8.
    """

    block2: Tensor
    block3: Tensor
    block4: Tensor


class Backbone(nn.Module):
    """Convolutional network without its classifier.

    channels: of blocks 2, 3 and 4. normalisation: of its input. head: beginnings of the names of the classifier's
    weights in published files. folds: whether every batch norm follows, in order of registration, the layer that feeds
    it (`sorn.folding`). frozen: modules that do not learn any more.
    """

    channels: tuple[int, int, int]
    normalisation: Normalisation = IMAGENET
    head: ClassVar[tuple[str, ...]] = ()
    folds: ClassVar[bool] = True
    frozen: tuple[nn.Module, ...] = ()

    def freeze_norms(self) -> None:
        """Batch norms whose statistics and weights do not learn from now on."""
        self._freeze(module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))

    def freeze_early(self) -> None:
        """Layers before the map of block 2, which no longer learn."""
        used = self._parameters_of_block2()
        own = ((module, list(module.parameters(recurse=False))) for module in self.modules())
        self._freeze(module for module, values in own if values and all(value in used for value in values))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def _freeze(self, modules: Iterable[nn.Module]) -> None:
        self.frozen = (*self.frozen, *modules)
        for module in self.frozen:
            module.requires_grad_(False)
        self.train(self.training)
        if self.folds:
            fold_frozen(self, self.frozen)

    def _parameters_of_block2(self) -> set[nn.Parameter]:
        """Parameters that its map depends on: those with a gradient."""
        learning, training = [value for value in self.parameters() if value.requires_grad], self.training
        block2 = self.eval()(learning[0].new_zeros(1, 3, *LOOK)).block2
        self.train(training)
        gradients = torch.autograd.grad(block2.sum(), learning, allow_unused=True)
        return {value for value, gradient in zip(learning, gradients, strict=True) if gradient is not None}

    def forward(self, image: Tensor) -> Stages:
        """Feature maps of blocks 2, 3 and 4.

        image: [B, 3, H, W] float, normalised by `normalisation`.
        """
        raise NotImplementedError


class DilatedDepthwise(nn.Conv2d):
    """Dilated convolution of each channel by itself.

    With dilation d, positions of one row and column modulo d see only each other: d * d small maps, each without
    dilation. CPUs have fast kernels for those, and none for dilated ones. Input: [B, C, H, W], any H and W.
    """

    @classmethod
    def of(cls, conv: nn.Conv2d, dilation: int) -> DilatedDepthwise:
        """Convolution with stride 1 and the weights of another.

        A map keeps its size.
        """
        size, biased = conv.kernel_size[0], conv.bias is not None
        own = cls(conv.in_channels, conv.out_channels, size, groups=conv.groups, bias=biased)
        own.weight, own.bias = conv.weight, conv.bias
        own.dilation, own.padding = (dilation, dilation), (size // 2 * dilation, size // 2 * dilation)
        return own

    def forward(self, input: Tensor) -> Tensor:
        d, (height, width) = self.dilation[0], input.shape[2:]
        maps = functional.pad(input, (0, -width % d, 0, -height % d)).permute(0, 2, 3, 1)  # channels_last in memory
        batch, rows, columns, channels = maps.shape[0], maps.shape[1] // d, maps.shape[2] // d, maps.shape[3]
        maps = maps.reshape(batch, rows, d, columns, d, channels).permute(2, 4, 0, 1, 3, 5)
        maps = maps.reshape(d * d * batch, rows, columns, channels).permute(0, 3, 1, 2)
        maps = depthwise(maps, self.weight, self.bias, 1, self.kernel_size[0] // 2)
        maps = maps.permute(0, 2, 3, 1).reshape(d, d, batch, rows, columns, channels).permute(2, 3, 0, 4, 1, 5)
        maps = maps.reshape(batch, rows * d, columns * d, channels).permute(0, 3, 1, 2)
        return maps[:, :, :height, :width]


def keep_resolution(third: Iterable[nn.Module], fourth: Iterable[nn.Module], stride: int) -> None:
    """Removal of strides from the layers of stages 3 and 4.

    stride: 16 removes the last stride: 24x8 maps at 384x128 pixels (Section III-A, after PCB). 8 removes both, and
    dilates, as DANet does.
    """
    if stride == STRIDE:
        _set_stride_1(fourth, 1)
    else:
        _set_stride_1(third, 2)
        _set_stride_1(fourth, 4)


def _set_stride_1(layers: Iterable[nn.Module], dilation: int) -> None:
    """Convolutions without stride, which keep their size of map.

    torchvision offers this for bottleneck blocks only, not for ResNet-18 and 34.
    """
    for module in [module for layer in layers for module in layer.modules()]:
        for name, conv in list(module.named_children()):
            if isinstance(conv, nn.Conv2d):
                setattr(module, name, _with_stride_1(conv, dilation))


def _with_stride_1(conv: nn.Conv2d, dilation: int) -> nn.Conv2d:
    conv.stride = (1, 1)
    reach = conv.kernel_size[0] // 2
    if reach and dilation > 1 and conv.groups == conv.in_channels:
        return DilatedDepthwise.of(conv, dilation)
    if reach:
        conv.dilation = (dilation, dilation)
        conv.padding = (dilation * reach, dilation * reach)
    return conv


def load_backbone(backbone: Backbone, weights: dict[str, Tensor]) -> None:
    """Load published weights, without the classifier.

    Raises ValueError naming what does not fit.
    """
    weights = {key: value for key, value in weights.items() if not key.startswith(backbone.head)}
    own = backbone.state_dict()
    missing = sorted(own.keys() - weights.keys())
    unknown = sorted(weights.keys() - own.keys())
    shapes = sorted(key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape)
    for problem, keys in (("missing", missing), ("unknown", unknown), ("of another shape", shapes)):
        if keys:
            more = " ..." if len(keys) > SHOWN else ""
            raise ValueError(f"backbone weights {problem}: {', '.join(keys[:SHOWN])}{more}")
    backbone.load_state_dict(weights)
