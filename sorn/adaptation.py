"""Batch norms adapted to unlabelled images.

Means and variances of other pictures than those of the training take the place of the learnt ones (Li et al., 2016,
"Revisiting batch normalization for practical domain adaptation"). Weights, scales and shifts stay. Opens no file.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sorn.batch import to_input
from sorn.engine import autocast
from sorn.network import SORN

Moments = list[tuple[Tensor, Tensor]]
# Mean and variance [C] float64 of each batch norm's input, in the order of the network's modules.


@torch.no_grad()
def batch_moments(model: SORN, image: Tensor, precision: str) -> Moments:
    """Moments of one batch in every batch norm.

    image: uint8 [B, H, W, 3], B >= 2, on the device of the network, which stays as it is. Each norm normalises by the
    batch, as in training; variances are unbiased. Several threads may call it with one network.
    """
    assert not model.backbone.frozen, "frozen norms may see no maps"
    copied = copy.deepcopy(model).eval()
    for norm in _norms(copied):
        norm.reset_running_stats()
        norm.momentum = None  # a mean over all batches since: of this one
        norm.train()
    with autocast(image.device, precision):
        copied(to_input(image, copied.normalisation))
    return [(_running(norm.running_mean), _running(norm.running_var)) for norm in _norms(copied)]


@torch.no_grad()
def adapt_norms(model: SORN, batches: Iterable[Moments]) -> None:
    """Replacement of means and variances by mean moments of batches."""
    every = list(batches)
    for number, norm in enumerate(_norms(model)):
        moments = [batch[number] for batch in every]
        for running, values in zip((norm.running_mean, norm.running_var), zip(*moments, strict=True), strict=True):
            assert running is not None
            running.copy_(torch.stack(values).mean(dim=0))


def _norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def _running(values: Tensor | None) -> Tensor:
    assert values is not None, "the norms of trained networks have running means"
    return values.detach().double().cpu()
