"""Batch norms within the layers before them.

In evaluation mode a BatchNorm is a scale and a shift per channel. The layer before it can include both, which saves a
pass over every map.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
Norm = nn.BatchNorm1d | nn.BatchNorm2d


class Pair(NamedTuple):
    """Layer and the norm that it feeds.

    Both with their names in a module.
    """

    module: nn.Module
    layer_name: str
    layer: Layer
    norm_name: str
    norm: Norm


def pairs(network: nn.Module) -> Iterator[Pair]:
    """Every layer with the batch norm registered next to it.

    It must feed that norm (`sorn.backbone.Backbone.folds`).
    """
    for module in network.modules():
        children = list(module.named_children())
        for (layer_name, layer), (norm_name, norm) in itertools.pairwise(children):
            if isinstance(layer, LAYERS) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                yield Pair(module, layer_name, layer, norm_name, norm)


def fold(network: nn.Module) -> None:
    """Change of all layers before batch norms: they include them.

    For inference, in evaluation mode: weights get other values, and norms become identities.
    """
    for pair in list(pairs(network)):
        setattr(pair.module, pair.layer_name, _folded(pair.layer, pair.norm))
        setattr(pair.module, pair.norm_name, nn.Identity())


def _folded(layer: Layer, norm: Norm) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    return fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))


def fold_frozen(network: nn.Module, norms: Collection[nn.Module]) -> None:
    """Change of the convolutions before frozen norms: they include them.

    norms: those that do not learn any more. All parameters and buffers stay where they are, with their names and
    values: a convolution multiplies its weights in every step, and they learn as before. Once for each norm.
    """
    for pair in list(pairs(network)):
        if pair.norm in norms and isinstance(pair.layer, nn.Conv2d) and pair.layer.bias is None:
            kind = type(pair.layer)
            pair.layer.__class__ = type(f"Folded{kind.__name__}", (FoldedConv2d, kind), {})
            object.__setattr__(pair.layer, "norm", pair.norm)  # not as a module: the network has it already
            pair.norm.__class__ = IncludedNorm


class FoldedConv2d(nn.Conv2d):
    """Convolution that includes the frozen norm after it.

    norm: in evaluation mode.
    """

    norm: nn.BatchNorm2d

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """Weights times the scale of the norm, float32 [outputs, inputs, k, k]."""
        weight = self._parameters["weight"]
        assert weight is not None
        return weight * self._scale()[:, None, None, None]

    @property
    def bias(self) -> Tensor:  # type: ignore[override]
        """Shift of the norm, float32 [outputs]."""
        mean, shift = self.norm.running_mean, self.norm.bias
        assert mean is not None
        return shift - mean * self._scale()

    def _scale(self) -> Tensor:
        variance = self.norm.running_var
        assert variance is not None
        return self.norm.weight * torch.rsqrt(variance + self.norm.eps)


class IncludedNorm(nn.BatchNorm2d):
    """Batch norm that the convolution before it includes."""

    def forward(self, input: Tensor) -> Tensor:
        return input
