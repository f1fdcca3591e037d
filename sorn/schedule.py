"""Learning rate by epoch (Section IV-B) and the optimizer that follows it."""

from __future__ import annotations

import math

import torch
from torch import nn

from sorn.config import ScheduleConfig


def learning_rate(config: ScheduleConfig, epoch: float) -> float:
    """Learning rate at an epoch, counted from 0, with fractions.

    Linear warm-up, then a drop at each milestone, or half a cosine that ends at 0 with the last epoch.
    """
    if epoch < config.warmup_epochs:
        share = epoch / config.warmup_epochs
        return config.warmup_start_lr + share * (config.base_lr - config.warmup_start_lr)
    if config.shape == "cosine":
        passed = (epoch - config.warmup_epochs) / max(1, config.epochs - config.warmup_epochs)
        return config.base_lr * (1 + math.cos(math.pi * min(1.0, passed))) / 2
    drops = sum(epoch >= milestone for milestone in config.milestones)
    return config.base_lr * config.gamma**drops


def build_optimizer(model: nn.Module, config: ScheduleConfig, weight_decay: float) -> torch.optim.Optimizer:
    """Adam or SGD over all parameters of a SORN that learn.

    One fused kernel updates them in each step. Each group of parameters carries `share`, its fraction of the scheduled
    rate. The first group has the whole rate. With a backbone_rate other than 1 the backbone's parameters are a second
    group.
    """

    def share_of(name: str) -> float:
        return config.backbone_rate if name.startswith("backbone.") else 1.0

    learning = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    groups: list[dict[str, object]] = [
        {"params": [value for name, value in learning if share_of(name) == share], "share": share}
        for share in dict.fromkeys((1.0, config.backbone_rate))  # one group where both are the same
    ]
    optimizer: torch.optim.Optimizer
    if config.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=config.momentum, weight_decay=weight_decay, fused=True)
        if config.momentum:  # torch leaves it undefined where a first step in fp16 overflows and is skipped
            for _, weights in learning:
                optimizer.state[weights]["momentum_buffer"] = torch.zeros_like(weights)
    else:
        optimizer = torch.optim.Adam(groups, weight_decay=weight_decay, fused=True)
    set_learning_rate(optimizer, learning_rate(config, 0))
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Scheduled rate for every group of `build_optimizer` by its share."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
