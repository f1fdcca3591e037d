"""Backbone with last stride 1 (Sections III-A, III-D)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from sorn.config import STRIDE
from sorn.normalisation import IMAGENET, Normalisation

SHOWN = 3  # names in a message


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
    it (`sorn.fused`).
    """

    channels: tuple[int, int, int]
    normalisation: Normalisation = IMAGENET
    head: ClassVar[tuple[str, ...]] = ()
    folds: ClassVar[bool] = True
    _frozen_norms = False

    def freeze_norms(self) -> None:
        """Batch norms whose statistics and weights do not learn from now on."""
        self._frozen_norms = True
        for norm in self._batch_norms():
            norm.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self._frozen_norms:
            for norm in self._batch_norms():
                norm.eval()
        return self

    def _batch_norms(self) -> Iterator[nn.Module]:
        return (module for module in self.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))

    def forward(self, image: Tensor) -> Stages:
        """Feature maps of blocks 2, 3 and 4.

        image: [B, 3, H, W] float, normalised by `normalisation`.
        """
        raise NotImplementedError


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
    for conv in (module for layer in layers for module in layer.modules() if isinstance(module, nn.Conv2d)):
        conv.stride = (1, 1)
        reach = conv.kernel_size[0] // 2
        if reach:
            conv.dilation = (dilation, dilation)
            conv.padding = (dilation * reach, dilation * reach)


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
