"""Weights in half precision, where they are many."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.training.initial_weights import OWN_IDENTITIES

MATRIX = 2  # dimensions from which on: norms and biases are few, and a running variance may be tiny or huge


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with all matrices and kernels in fp16.

    Everything else stays as it is. Raises UserError for a number that fp16 cannot hold.
    """
    made = {name: value.half() if _large(value) else value for name, value in weights.items()}
    beyond = [name for name, value in made.items() if not bool(torch.isfinite(value).all())]
    if beyond:
        wrong = f"{len(beyond)} weights are not finite in half precision, first {beyond[0]}"
        raise UserError(wrong, "Train with a weight decay, for example: --set train.weight_decay=5e-4")
    return made


def without_classifiers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a SORN without the classifiers of its training identities."""
    return {name: value for name, value in weights.items() if OWN_IDENTITIES not in name}


def _large(value: Tensor) -> bool:
    return value.dim() >= MATRIX and value.is_floating_point()
