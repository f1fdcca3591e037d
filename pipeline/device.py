"""The device that the user named, or a sentence why it cannot be used."""

from __future__ import annotations

import torch

from pipeline.errors import UserError
from sorn import engine


def pick_device(name: str) -> torch.device:
    """ "auto", "cpu", "cuda", "cuda:1" ... -> device. Raises UserError for one that this machine does not have."""
    try:
        return engine.pick_device(name)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"device '{name}' cannot be used: {error}", "Use --device cpu.") from error
