"""Frozen layers, alone and beside synchronised norms."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.runs.config import TrainConfig
from pipeline.training.layers import prepare_layers
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.sync_batchnorm import SyncNorm

BACKBONES = ["resnet18", "efficientnet_lite0", "timm:resnet18"]


def prepared(backbone: str, processes: int, **options: str) -> SORN:
    if backbone.startswith("timm"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    network = SORN(SORNConfig(identities=4, backbone=backbone, stripes=4))
    prepare_layers(network, TrainConfig(init="starter", **options), processes)
    return network.train()


def norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_frozen_early_layers_stay_and_the_other_norms_are_synchronised(backbone: str) -> None:
    network = prepared(backbone, 2, early="frozen", batch_norm="sync")
    frozen = [norm for norm in norms(network.backbone) if not norm.weight.requires_grad]
    assert frozen and not any(norm.training or isinstance(norm, SyncNorm) for norm in frozen)
    learning = [norm for norm in norms(network) if norm.weight.requires_grad]
    assert learning and all(norm.training and isinstance(norm, SyncNorm) for norm in learning)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_step_changes_nothing_that_is_frozen(backbone: str) -> None:
    network = prepared(backbone, 1, early="frozen", norms="frozen")
    frozen = {id(value) for module in network.backbone.frozen for value in (*module.parameters(), *module.buffers())}
    state = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    before = {name: value.clone() for name, value in state.items()}
    optimizer = torch.optim.SGD([value for value in network.parameters() if value.requires_grad], lr=0.1)
    output = network(torch.randn(2, 3, 64, 32))
    (output.local_features.square().mean() + output.global_feature.square().mean()).backward()
    optimizer.step()
    changed = {name for name, value in state.items() if not torch.equal(value, before[name])}
    assert frozen and changed and not any(id(state[name]) in frozen for name in changed)
    late = [value for value in network.backbone.parameters() if value.requires_grad]
    assert late and all(value.grad is not None for value in late)
