"""ResNet weights as other programs keep them start a training; whatever else a file holds is named."""

from __future__ import annotations

import logging
import os
import re
import subprocess
from argparse import Namespace
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


def moved(weights: Weights) -> Weights:
    """Other weights of the same network."""
    return {name: value + 1 for name, value in weights.items()}


def of_transformers(weights: Weights) -> Weights:
    """Names as in Hugging Face's transformers."""
    names = {
        r"^conv1": "embedder.embedder.convolution",
        r"^bn1": "embedder.embedder.normalization",
        r"^layer(\d)\.(\d)\.downsample\.0": r"encoder.stages.<\1>.layers.\2.shortcut.convolution",
        r"^layer(\d)\.(\d)\.downsample\.1": r"encoder.stages.<\1>.layers.\2.shortcut.normalization",
        r"^layer(\d)\.(\d)\.conv(\d)": r"encoder.stages.<\1>.layers.\2.layer.<\3>.convolution",
        r"^layer(\d)\.(\d)\.bn(\d)": r"encoder.stages.<\1>.layers.\2.layer.<\3>.normalization",
    }
    renamed = {}
    for name, value in weights.items():
        for pattern, replacement in names.items():
            name = re.sub(pattern, replacement, name)
        renamed["resnet." + re.sub(r"<(\d)>", lambda match: str(int(match[1]) - 1), name)] = value
    return renamed


def of_a_list(weights: Weights) -> Weights:
    """Names as in nn.Sequential(*resnet.children())."""
    places = {"conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"}
    split = {name: name.partition(".") for name in headless(weights)}
    return {f"{places[split[name][0]]}.{split[name][2]}": value for name, value in headless(weights).items()}


HEAD = {"classifier.weight": torch.zeros(7, 512), "bottleneck.bias": torch.zeros(512)}
CLASSES = "left out: fc.weight, fc.bias"
WRAPPINGS: dict[str, tuple[Callable[[Weights], Any], str]] = {
    "torchvision": (lambda w: w, CLASSES),
    "before PyTorch 0.4.1": (old, CLASSES),
    "half precision": (lambda w: {name: value.half() for name, value in w.items()}, CLASSES),
    "bfloat16": (lambda w: {name: value.bfloat16() for name, value in headless(w).items()}, ""),
    "no classifier": (headless, ""),
    "DataParallel": (lambda w: prefixed("module.", headless(w)), "'module.' taken off the names"),
    "model.": (lambda w: prefixed("model.", headless(w)), "'model.' taken off the names"),
    "torch.compile": (
        lambda w: prefixed("module._orig_mod.backbone.", headless(w)),
        "'module._orig_mod.backbone.' taken off the names",
    ),
    "base. and a head": (
        lambda w: prefixed("base.", headless(w)) | HEAD,
        "'base.' taken off the names; left out: classifier.weight, bottleneck.bias",
    ),
    "state_dict": (
        lambda w: {"state_dict": headless(w) | HEAD, "epoch": 60, "rank1": np.float64(0.9)},
        "taken out of 'state_dict'; left out: classifier.weight, bottleneck.bias",
    ),
    "backbone. in model": (
        lambda w: {"model": prefixed("backbone.", headless(w)), "iteration": 7},
        "taken out of 'model'; 'backbone.' taken off the names",
    ),
    "two prefixes": (
        lambda w: {"state_dict": prefixed("module.encoder_q.", headless(w))},
        "taken out of 'state_dict'; 'module.encoder_q.' taken off the names",
    ),
    "beside its optimizer": (
        lambda w: {"net": {"weights": headless(w)}, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}},
        "taken out of 'net.weights'",
    ),
    "beside a larger head": (
        lambda w: {"head": {str(number): torch.zeros(1) for number in range(500)}, "backbone": headless(w)},
        "taken out of 'backbone'",
    ),
    "beside options, paths and an array": (
        lambda w: {"net": headless(w), "args": Namespace(lr=0.1, out=Path("/runs")), "best": np.array([0.5, 0.7])},
        "taken out of 'net'",
    ),
    "averaged weights": (
        lambda w: {"state_dict": moved(headless(w)), "state_dict_ema": prefixed("module.", headless(w))},
        "taken out of 'state_dict_ema'; 'module.' taken off the names; not taken: the ResNet in state_dict",
    ),
    "teacher and student": (
        lambda w: {"student": moved(headless(w)), "teacher": headless(w)},
        "taken out of 'teacher'; not taken: the ResNet in student",
    ),
    "a list of layers": (
        lambda w: prefixed("base.", of_a_list(w)),
        "'base.' taken off the names; named as in a list of its layers",
    ),
    "transformers": (
        lambda w: of_transformers(headless(w)),
        "'resnet.' taken off the names; named as in Hugging Face transformers",
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
    rounded = {"half precision": 1e-3, "bfloat16": 1e-2}.get(wrapping, 0)
    close = {"rtol": rounded, "atol": rounded}
    torch.testing.assert_close(found, headless(resnet), **close)
    assert [record.message for record in caplog.records] == ([f"train.init = {path}: {said}"] if said else [])


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "weights.pth", "weights"])
def test_the_content_of_a_file_is_what_counts(tmp_path: Path, resnet: Weights, name: str) -> None:
    save_file(old(resnet), tmp_path / name, {"format": "pt"})
    torch.testing.assert_close(start(tmp_path / name), headless(resnet), rtol=0, atol=0)
    torch.save(resnet, tmp_path / name)
    torch.testing.assert_close(start(tmp_path / name), headless(resnet), rtol=0, atol=0)


def wide() -> Weights:
    return torchvision.models.resnet.ResNet(torchvision.models.resnet.Bottleneck, [1, 1, 1, 1], width_per_group=128)


def broken() -> Weights:
    return {**torchvision.models.resnet18().state_dict(), "bn1.weight": torch.full((64,), torch.nan)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            torchvision.models.resnet34,
            r"holds a resnet34, and model\.backbone is resnet18.*--set model.backbone=resnet34",
        ),
        (torchvision.models.resnet50, r"holds a resnet50, and .*take its network: --set model.backbone=resnet50"),
        (torchvision.models.resnet101, r"holds a resnet101, and .*start with --set train.init=none"),
        (wide, r"holds a ResNet of 1, 1, 1, 1 blocks with other layers than model.backbone = resnet18: .*missing"),
        (broken, "holds a ResNet whose bn1.weight is not finite"),
        (lambda: {"blocks.0.attn.qkv.weight": torch.zeros(2)}, "it holds no ResNet, but blocks.0.attn.qkv.weight"),
        (lambda: {"epoch": 3, "args": {}}, "it holds no ResNet, but no tensor by name: epoch, args"),
        (lambda: [torch.zeros(2)], "it holds no ResNet, but a list"),
        (dict, "it holds no ResNet, but no tensor by name: nothing"),
    ],
)
def test_what_does_not_fit_is_named_by_what_was_found(tmp_path: Path, content: Callable[[], Any], words: str) -> None:
    made = content()
    torch.save(made.state_dict() if isinstance(made, torch.nn.Module) else made, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=words):
        start(tmp_path / "weights.pth")


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: {"model": net, "epoch": 3}], ids=["alone", "in a dict"])
def test_an_object_in_place_of_its_weights_is_named_and_the_remedy_takes_them_out(
    tmp_path: Path, resnet: Weights, wrap: Callable[[Any], Any]
) -> None:
    net = torchvision.models.resnet18(num_classes=5)
    net.load_state_dict(resnet)
    path = tmp_path / "it's whole.pth"
    torch.save(wrap(net), path)
    with pytest.raises(UserError, match=r"holds a torchvision\.models\.resnet\.ResNet, which could run code") as caught:
        start(path)
    subprocess.run(["sh", "-c", caught.value.remedy.partition("run: ")[2]], check=True)
    torch.testing.assert_close(start(tmp_path / "it's whole.weights.pth"), headless(resnet), rtol=0, atol=0)


def test_harmful_code_has_no_remedy_that_runs_it(tmp_path: Path) -> None:
    class Mischief:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"state_dict": Mischief()}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"holds a posix\.mkdir, which could run code.*Do not use this file"):
        start(tmp_path / "w.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), r"Git LFS.*git -C .* lfs pull"),
        (lambda path: path.write_text("<!DOCTYPE html><title>Quota exceeded</title>"), "a web page, 'Quota exceeded'"),
        (lambda path: path.write_bytes(b""), "is an empty file. Download or copy it again"),
        (lambda path: path.write_text('{"weight_map": {}}'), "is an index of weights in several files"),
        (lambda path: path.write_bytes(b"\x1f\x8b\x08"), "is a packed file. Unpack it"),
        (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch\x1a"), "is an ONNX model"),
        (lambda path: path.write_bytes(b"\0" * 100), "is neither a file of torch.save nor of safetensors"),
        (lambda path: path.mkdir(), "is a folder. Give a file in it"),
        (lambda path: (path.mkdir(), torch.save({}, path / "a b.pth")), r"is a folder. Give the file: '.*/a b.pth'"),
        (lambda path: np.savez(path.with_name("w.npz"), a=np.zeros(2)) or path.with_name("w.npz").rename(path), "npz"),
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_of_another_kind_is_named(tmp_path: Path, write: Callable[[Path], Any], words: str, name: str) -> None:
    write(tmp_path / name)
    with pytest.raises(UserError, match=words):
        start(tmp_path / name)


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    few = {"conv1.weight": torch.zeros(64, 3, 7, 7)}
    torch.save(few, tmp_path / "w.pth")
    save_file(few, tmp_path / "w.safetensors")
    for name, words in (("w.pth", "a ZIP archive that was cut off"), ("w.safetensors", "cut off after .* bytes")):
        path = tmp_path / name
        for length in (path.stat().st_size - 50, 50):
            path.write_bytes(path.read_bytes()[:length])
            with pytest.raises(UserError, match=words):
                start(path)
