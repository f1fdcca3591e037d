"""Trained SORN for inference, with batch norms folded into other layers.

That saves a pass over every map. The weights are also rounded once, and not in every batch as by autocast.
"""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import nn

from sorn.engine import DTYPES
from sorn.folding import fold
from sorn.joined import use_joined
from sorn.network import SORN
from sorn.phases import use_phases


@torch.no_grad()
def fused(model: SORN, precision: str, amx: bool = False) -> SORN:
    """Copy of the network for inference.

    The batch norms are folded, the classifiers are removed, and the large weights are in `precision`. The copy is
    called like the network, under the same autocast. Pooling, the norms after it and the visibility scores stay in
    float32, as in the network itself. A backbone that does not fold stays as it is. On a CPU, convolutions are joined
    with the ReLU and the sum after them. Identity logits mean nothing. The network must be in evaluation mode. amx:
    whether the CPU computes bf16 with AMX.
    """
    assert not model.training, "only the norms of evaluation mode can be folded"
    assert not model.backbone.frozen, "frozen norms may be folded already"
    copied = copy.deepcopy(model)
    copied.config = dataclasses.replace(model.config, identities=0)
    if copied.local is not None:
        copied.local.classifiers = nn.ModuleList(nn.Identity() for _ in copied.local.classifiers)
        if copied.local.reduce is not None:
            fold(copied.local.reduce)  # of float32, as pooled features are
    if copied.global_ is not None:
        copied.global_.classifier = nn.Identity()  # its norm follows a mean, not a layer: nothing to fold
    if copied.part is not None:
        copied.part.classifiers = nn.ModuleList(nn.Identity() for _ in copied.part.classifiers)
    for part in filter(None, (copied.backbone if copied.backbone.folds else None, copied.semantic)):
        fold(part)
        if amx and part is copied.semantic:
            use_phases(part)
        part.to(DTYPES[precision]).to(memory_format=torch.channels_last)
        if next(part.parameters()).device.type == "cpu":
            use_joined(part)
    return copied.requires_grad_(False)
