"""The device that the user named, or a sentence why it cannot be used."""

from __future__ import annotations

import torch

from pipeline.errors import UserError
from pipeline.runtime import distributed
from sorn import engine


def pick_device(name: str) -> torch.device:
    """ "auto", "cpu", "cuda", "cuda:1" ... -> device.

    Raises UserError for one that this machine does not have.

    "auto" gives every rank of torchrun a GPU of its own, as far as there are enough.
    """
    try:
        device = engine.pick_device(name)
        if name == "auto" and device.type == "cuda":
            return torch.device("cuda", distributed.here().local % torch.cuda.device_count())
        return device
    except (ValueError, RuntimeError) as error:
        raise UserError(f"device '{name}' cannot be used: {error}", "Use --device cpu.") from error
