"""Settings of torch with which the same training gives the same weights."""

from __future__ import annotations

import os

import torch


def make_repeatable(seed: int) -> None:
    """Seed of torch's random numbers, and sums in a fixed order.

    Where torch has no fixed order, it warns. Call it before the first work on a GPU.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may sum in any order
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs 2 to 3 %
    torch.backends.cudnn.benchmark = False
