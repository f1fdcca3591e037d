"""ResNet weights as other programs keep them start a training; whatever else a file holds is named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.training.initial_weights import load_initial_weights
from sorn.config import SORNConfig
from sorn.network import SORN

CONFIG = SORNConfig(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8)
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def resnet() -> Weights:
    torch.manual_seed(1)
    return torchvision.models.resnet18(num_classes=5).state_dict()


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: value for name, value in weights.items()}


def headless(weights: Weights) -> Weights:
    return {name: value for name, value in weights.items() if not name.startswith("fc.")}


def old(weights: Weights) -> Weights:
    return {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}


HEAD = {"classifier.weight": torch.zeros(7, 512), "bottleneck.bias": torch.zeros(512)}
WRAPPINGS: dict[str, tuple[Callable[[Weights], Any], str]] = {
    "torchvision": (lambda w: w, ""),
    "before PyTorch 0.4.1": (old, ""),
    "half precision": (lambda w: {name: value.half() for name, value in w.items()}, ""),
    "DataParallel": (lambda w: prefixed("module.", w), "'module.' taken off the names"),
    "model.": (lambda w: prefixed("model.", w), "'model.' taken off the names"),
    "base. and a head": (
        lambda w: prefixed("base.", headless(w)) | HEAD,
        "'base.' taken off the names; left out: classifier.weight, bottleneck.bias",
    ),
    "state_dict": (
        lambda w: {"state_dict": headless(w) | HEAD, "epoch": 60, "rank1": np.float64(0.9)},
        "taken out of 'state_dict'; left out: classifier.weight, bottleneck.bias",
    ),
    "backbone. in model": (
        lambda w: {"model": prefixed("backbone.", w), "iteration": 7},
        "taken out of 'model'; 'backbone.' taken off the names",
    ),
    "two prefixes": (
        lambda w: {"state_dict": prefixed("module.encoder_q.", w)},
        "taken out of 'state_dict'; 'module.encoder_q.' taken off the names",
    ),
    "beside its optimizer": (
        lambda w: {"net": {"weights": w}, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}},
        "taken out of 'net.weights'",
    ),
}


def start(path: Path) -> Weights:
    torch.manual_seed(2)
    model = SORN(CONFIG)
    load_initial_weights(model, str(path), "resnet18", "train.init")
    return model.backbone.state_dict()


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_resnet_is_found_in_its_wrapping_and_what_was_taken_off_is_said(
    tmp_path: Path, resnet: Weights, wrapping: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrap, said = WRAPPINGS[wrapping]
    path = tmp_path / "weights.pth"
    torch.save(wrap(resnet), path)
    with caplog.at_level(logging.INFO):
        found = start(path)
    close = {"rtol": 1e-3, "atol": 1e-3} if wrapping == "half precision" else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(found, headless(resnet), **close)
    assert [record.message for record in caplog.records] == ([f"train.init = {path}: {said}"] if said else [])


def test_safetensors_of_others_are_weights_too(tmp_path: Path, resnet: Weights) -> None:
    save_file(old(resnet), tmp_path / "model.safetensors", {"format": "pt"})
    torch.testing.assert_close(start(tmp_path / "model.safetensors"), headless(resnet), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (torchvision.models.resnet34, "it holds a ResNet of 3, 4, 6, 3 blocks, which is not this backbone"),
        (lambda: {"blocks.0.attn.qkv.weight": torch.zeros(2)}, "it holds no ResNet, but blocks.0.attn.qkv.weight"),
        (lambda: {"epoch": 3, "args": {}}, "it holds no tensor, but epoch, args"),
        (lambda: [torch.zeros(2)], "it holds a list, not weights by name"),
        (dict, "it holds no tensor, but nothing"),
    ],
)
def test_what_does_not_fit_is_named_by_what_was_found(tmp_path: Path, content: Callable[[], Any], words: str) -> None:
    made = content()
    torch.save(made.state_dict() if isinstance(made, torch.nn.Module) else made, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=words):
        start(tmp_path / "weights.pth")


def test_an_object_in_place_of_its_weights_is_named(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(), tmp_path / "whole.pth")
    with pytest.raises(UserError, match=r"a torchvision\.models\.resnet\.ResNet; save the state_dict"):
        start(tmp_path / "whole.pth")
