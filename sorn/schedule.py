"""Learning rate by epoch (Section IV-B) and the optimizer that follows it."""

from __future__ import annotations

import torch
from torch import nn

from sorn.config import ScheduleConfig


def learning_rate(config: ScheduleConfig, epoch: float) -> float:
    """Rate at an epoch counted from 0, fractions within it. Linear warm-up, then a drop at each milestone."""
    if epoch < config.warmup_epochs:
        share = epoch / config.warmup_epochs
        return config.warmup_start_lr + share * (config.base_lr - config.warmup_start_lr)
    drops = sum(epoch >= milestone for milestone in config.milestones)
    return config.base_lr * config.gamma**drops


def build_optimizer(model: nn.Module, config: ScheduleConfig, weight_decay: float) -> torch.optim.Adam:
    """Adam over all parameters, fused into one kernel per step."""
    return torch.optim.Adam(model.parameters(), lr=learning_rate(config, 0), weight_decay=weight_decay, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
