"""Weight files of MobileNetV2, EfficientNet-Lite0 and timm, as others write them; and those that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from pipeline.training.published_weights import load_published, require_normalisation_beside
from sorn.backbone import Backbone
from sorn.backbones import build_backbone
from sorn.normalisation import IMAGENET, TENSORFLOW


@pytest.fixture(scope="module")
def lite0() -> dict[str, Tensor]:
    """Weights with a classifier, as they are published."""
    torch.manual_seed(0)
    classifier = {"_fc.weight": torch.ones(9, 1280), "_fc.bias": torch.ones(9)}
    return build_backbone("efficientnet_lite0").state_dict() | classifier


def loaded(path: Path, weights: object, name: str = "efficientnet_lite0") -> Backbone:
    torch.manual_seed(1)
    backbone = build_backbone(name)
    torch.save(weights, path)
    load_published(backbone, path)
    return backbone


def without(weights: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if name not in names}


def same(backbone: Backbone, weights: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, weights[name]) for name, value in backbone.state_dict().items())


@pytest.mark.parametrize("prefix", ["", "module.", "module.model.", "backbone."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_as_training_programs_write_them(tmp_path: Path, lite0: dict[str, Tensor], prefix: str, wrapped: bool) -> None:
    named = {prefix + name: value for name, value in lite0.items()}
    assert same(loaded(tmp_path / "a.pth", {"epoch": 3, "state_dict": named} if wrapped else named), lite0)


def test_as_safetensors_and_without_counters(tmp_path: Path, lite0: dict[str, Tensor]) -> None:
    kept = {name: value for name, value in lite0.items() if not name.endswith("num_batches_tracked")}
    save_file(kept, tmp_path / "a.safetensors")
    backbone = build_backbone("efficientnet_lite0")
    load_published(backbone, tmp_path / "a.safetensors")
    assert same(backbone, lite0)


def test_the_older_names_of_mobilenet(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = torchvision.models.mobilenet_v2().state_dict()
    former = {former_name(name): value for name, value in weights.items() if not name.startswith("classifier")}
    assert "features.1.conv.4.weight" in former and "features.2.conv.7.bias" in former
    assert same(loaded(tmp_path / "a.pt", former, "mobilenet_v2"), weights)


def former_name(name: str) -> str:
    """A name before convolution, norm and activation were grouped: the index within a flat list of layers."""
    words = name.split(".")
    if words[2] != "conv":
        return name
    if len(words) == 6:  # in a group of three layers
        return ".".join([*words[:3], str(3 * int(words[3]) + int(words[4])), words[5]])
    groups = 1 if words[1] == "1" else 2  # in front of the projection and its norm
    return ".".join([*words[:3], str(int(words[3]) + 2 * groups), words[4]])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda weights: {name: value for name, value in weights.items() if name != "_conv_head.weight"},
            "missing: _c",
        ),
        (lambda weights: {**weights, "_blocks.16._bn0.weight": torch.ones(1)}, r"unknown: _blocks\.16"),
        (lambda weights: {**weights, "_conv_stem.weight": torch.ones(32, 4, 3, 3)}, "of another shape: _conv_stem"),
        (lambda weights: torchvision.models.mobilenet_v2().state_dict(), "backbone weights missing"),
        (lambda weights: torch.ones(3), "it holds a Tensor, not weights by name"),
        (lambda weights: {}, "backbone weights missing"),
    ],
    ids=["a missing layer", "one more", "a shape", "another network", "a tensor", "nothing"],
)
def test_what_does_not_fit_is_named(tmp_path: Path, lite0: dict[str, Tensor], change, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        loaded(tmp_path / "a.pth", change(lite0))
    assert "\n" not in str(caught.value)


def test_a_description_beside_the_weights_names_their_normalisation(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    require_normalisation_beside(path, IMAGENET)  # none is there
    half = {"pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}
    (tmp_path / "config.json").write_text(json.dumps(half))
    require_normalisation_beside(path, TENSORFLOW)  # 127 and 128 of 255, rounded
    with pytest.raises(ValueError, match=r"images of mean 0\.5 0\.5 0\.5 .* this backbone takes mean 0\.485 0\.456"):
        require_normalisation_beside(path, IMAGENET)
    for other in ({}, [], {"pretrained_cfg": {"mean": [1], "std": 2}}, {"model": {}}):
        (tmp_path / "config.json").write_text(json.dumps(other))
        require_normalisation_beside(path, IMAGENET)


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "convnext_atto"])
def test_files_of_timm(tmp_path: Path, name: str) -> None:
    """mobilenetv3: a network whose reader is not strict. convnext: one whose layers have other names as a backbone."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    whole = timm.create_model(name).eval()
    backbone = loaded(tmp_path / "a.pth", whole.state_dict(), f"timm:{name}").eval()
    image = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(image).block3, whole.forward_intermediates(image)[1][-2])
    first = next(layer for layer in whole.state_dict() if layer.endswith("conv_dw.weight"))
    less = without(whole.state_dict(), first)
    with pytest.raises(ValueError, match=rf"they do not fit {name} of timm: Missing key.*{first}") as caught:
        loaded(tmp_path / "a.pth", less, f"timm:{name}")
    assert "\n" not in str(caught.value)
