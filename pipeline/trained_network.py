"""A trained network, ready to look at images. Reads model.safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pipeline import checkpoints
from sorn.config import SORNConfig
from sorn.network import SORN


def load_network(weights: Path, model: dict[str, Any], device: torch.device) -> SORN:
    """In eval mode, channels_last, on the device. model: as in config.json beside the weights. Raises UserError for
    weights that are missing, damaged or of another network.
    """
    with torch.device("meta"):
        network = SORN(SORNConfig(**model))
    checkpoints.load_weights(weights, network)
    return network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
