"""Device that the user named, or an error that explains it."""

from __future__ import annotations

import torch

from pipeline.errors import UserError
from pipeline.runtime import distributed
from sorn import engine


def pick_device(name: str) -> torch.device:
    """Device of the names "auto", "cpu", "cuda", "cuda:1" ...

    A GPU always has its number: without one, every thread takes the GPU that is current in it. "auto" and "cuda" give
    every process of torchrun its own GPU, as long as there are enough. From then on convolutions on a GPU in fp32 have
    all digits of fp32. Raises UserError for a device that this machine does not have.
    """
    try:
        device = engine.pick_device(name)
    except (ValueError, RuntimeError) as error:
        raise UserError(f"device '{name}' cannot be used: {error}", "Use --device cpu.") from error
    if device.type != "cuda":
        return device
    gpus = torch.cuda.device_count()
    if device.index is None:
        device = torch.device("cuda", distributed.here().local % gpus)
    if device.index >= gpus:
        wrong = f"device '{name}' cannot be used: the last GPU of this machine is cuda:{gpus - 1}"
        raise UserError(wrong, "Use --device auto, or --device cpu.")
    torch.backends.cudnn.allow_tf32 = False  # by default PyTorch leaves 10 of the 23 bits after the point
    return device
