"""A stand-in for OpenVINO and NNCF: weights rounded to 7 bits, computed by torch.

Tests of everything around an int8 network need no packages of 500 MB. `tests/pipeline/features/int8/test_network.py`
tests the packages themselves, where they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.features import embedding
from pipeline.features.int8 import network, prepare
from pipeline.stages import eval as stage
from sorn.export import ExportedNetwork
from sorn.network import SORN

STEPS = 63  # of the largest weight of a channel
GRAPH, BIN = "network.xml", "network.bin"
VERSIONS = {"openvino": "1", "nncf": "2", "torch": "3"}


class Output:
    def __init__(self, name: str) -> None:
        self.name = name

    def get_any_name(self) -> str:
        return self.name


class Request:
    def __init__(self, graph: Path) -> None:
        self.exported = torch.load(graph, weights_only=False)

    def infer(self, given: list[np.ndarray]) -> dict[Output, np.ndarray]:
        with torch.inference_mode():
            found = self.exported(torch.from_numpy(given[0]))
        return {Output(name): value.numpy() for name, value in found.items()}


def rounded(trained: SORN, images: np.ndarray) -> ExportedNetwork:
    exported = ExportedNetwork(trained, parts=True)
    with torch.no_grad():
        for weight in exported.parameters():
            if weight.dim() == 4:
                step = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-9) / STEPS
                weight.copy_((weight / step).round() * step)
    return exported


def use_stand_in(patch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Use the stand-in; the images of every quantisation from then on."""
    seen: list[np.ndarray] = []

    def quantise(trained: SORN, images: np.ndarray) -> ExportedNetwork:
        seen.append(images)
        return rounded(trained, images)

    def save(exported: ExportedNetwork, folder: Path) -> list[str]:
        torch.save(exported, folder / GRAPH)
        (folder / BIN).write_bytes(b"weights")
        return [GRAPH, BIN]

    patch.setattr(prepare, "quantise", quantise)
    patch.setattr(prepare, "save", save)
    patch.setattr(prepare, "version", VERSIONS.get)
    for module in (embedding, network):
        patch.setattr(module, "version", lambda _: "1")
    for module in (prepare, network, stage):
        patch.setattr(module, "require_packages", lambda *_: None)
    patch.setattr(network, "compiled", Request)
    return seen
