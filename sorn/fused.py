"""A trained SORN, folded for inference: the same outputs from fewer and smaller operations.

In evaluation mode a BatchNorm is a scale and a shift per channel, which the layer before it can do itself. That saves a
pass over every map, and weights that are rounded once need no rounding in every batch, as autocast does it.
"""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from sorn.engine import DTYPES
from sorn.network import SORN

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@torch.no_grad()
def fused(model: SORN, precision: str) -> SORN:
    """A copy of the network in evaluation mode: norms folded, without classifiers, its large weights in `precision`.

    It is called as the network is, under the same autocast. Pooling, the norms behind it and the visibility scores stay
    in float32, as in the network itself. Identity logits mean nothing. The network must not be in training mode.
    """
    assert not model.training, "only the norms of evaluation mode can be folded"
    found = copy.deepcopy(model)
    found.config = dataclasses.replace(model.config, identities=0)
    if found.local is not None:
        found.local.classifiers = nn.ModuleList(nn.Identity() for _ in found.local.classifiers)
        if found.local.reduce is not None:
            _fold(found.local.reduce)  # of float32, as pooled features are
    if found.global_ is not None:
        found.global_.classifier = nn.Identity()  # its norm follows a mean, not a layer: nothing to fold
    for part in filter(None, (found.backbone, found.semantic)):
        _fold(part)
        part.to(DTYPES[precision]).to(memory_format=torch.channels_last)
    return found.requires_grad_(False)


def _fold(module: nn.Module) -> None:
    """Every norm into the layer registered before it, which in these networks is the one that feeds it."""
    before, layer = "", nn.Module()
    for name, child in list(module.named_children()):
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)) and isinstance(layer, LAYERS):
            setattr(module, before, _folded(layer, child))
            setattr(module, name, nn.Identity())
        _fold(child)
        before, layer = name, child


def _folded(layer: Layer, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    return fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
