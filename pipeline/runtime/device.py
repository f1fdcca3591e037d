"""Device that the user named, or an error that explains it."""

from __future__ import annotations

import torch

from pipeline.errors import UserError
from pipeline.runtime import distributed
from sorn import engine


def pick_device(name: str) -> torch.device:
    """Device of the names "auto", "cpu", "cuda", "cuda:1" ...

    "auto" gives every process of torchrun its own GPU, as long as there are enough. Raises UserError for a device that
    this machine does not have.
    """
    try:
        device = engine.pick_device(name)
        if name == "auto" and device.type == "cuda":
            return torch.device("cuda", distributed.here().local % torch.cuda.device_count())
        return device
    except (ValueError, RuntimeError) as error:
        raise UserError(f"device '{name}' cannot be used: {error}", "Use --device cpu.") from error
