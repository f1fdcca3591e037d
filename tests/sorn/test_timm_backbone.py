"""Networks of timm: which have the maps, what they are normalised by, and that nothing is folded wrongly."""

from __future__ import annotations

import sys

import pytest
import torch

from sorn.backbones import build_backbone
from sorn.config import SORNConfig
from sorn.fused import fused
from sorn.network import SORN
from sorn.normalisation import Normalisation


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match="the package timm cannot be imported"):
        build_backbone("timm:resnet18")


@pytest.mark.parametrize("stride", [16, 8])
@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "convnext_atto"])
def test_convolutional_networks_have_the_maps(name: str, stride: int) -> None:
    pytest.importorskip("timm")
    with torch.device("meta"):  # as networks are built before their weights are loaded
        backbone = build_backbone(f"timm:{name}", stride).eval()
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 96, 32))
    assert [tuple(one.shape) for one in maps] == [
        (1, channels, 96 // s, 32 // s) for channels, s in zip(backbone.channels, (8, stride, stride), strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("vit_tiny_patch16_224", "vit_tiny_patch16_224 of timm has no maps of stride 8, 16 and 16"),
        ("hrnet_w18_small", "has no maps of stride 8, 16 and 16"),
        ("vgg11", "has no maps of stride 8, 16 and 16"),
        ("resnet18.nobody", "has no weights resnet18.nobody"),
        ("resnett18", "has no network resnett18"),
        ("", "has no network "),
    ],
)
def test_others_are_refused_in_one_sentence(name: str, why: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=why) as caught:
        build_backbone(f"timm:{name}")
    assert "\n" not in str(caught.value)


def test_the_normalisation_is_that_of_its_weights() -> None:
    pytest.importorskip("timm")
    assert build_backbone("timm:tf_efficientnet_lite0").normalisation == Normalisation((0.5,) * 3, (0.5,) * 3)


def test_norms_that_hold_an_activation_stay() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    config = SORNConfig(identities=3, backbone="timm:mobilenetv3_small_050", set_channels=8, semantic_channels=8)
    model = SORN(config).eval()
    image = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        expected, found = model(image), fused(model, "fp32")(image)
    torch.testing.assert_close(found.local_features, expected.local_features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.part_logits, expected.part_logits, rtol=1e-4, atol=1e-5)


def test_frozen_norms_that_hold_an_activation_stay_where_they_are() -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    backbone, image = build_backbone("timm:mobilenetv3_small_100"), torch.randn(2, 3, 64, 32)
    expected = backbone.eval()(image).block4
    backbone.freeze_norms()
    assert torch.equal(backbone.train()(image).block4, expected)
