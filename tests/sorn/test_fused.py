"""The folded network says what the network says, from fewer layers and in smaller numbers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from sorn import engine
from sorn.batch import Batch, to_input
from sorn.config import SORNConfig
from sorn.fused import fused
from sorn.network import SORN, SORNOutput

CPU = torch.device("cpu")
CONFIG = SORNConfig(identities=3, backbone="resnet18", set_channels=8, semantic_channels=8)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def network(**options: object) -> SORN:
    """As after a training: no norm is the identity."""
    torch.manual_seed(0)
    model = SORN(dataclasses.replace(CONFIG, **options)).eval()  # type: ignore[arg-type]
    for module in model.modules():
        if isinstance(module, NORMS):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return model.to(memory_format=torch.channels_last)


def images() -> Tensor:
    return torch.randint(0, 256, (4, 64, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def output(model: SORN, precision: str) -> SORNOutput:
    with engine.autocast(CPU, precision):
        return model(to_input(images(), model.normalisation))


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


VARIANTS: tuple[dict[str, object], ...] = (
    {},
    {"backbone": "resnet50"},
    {"backbone": "mobilenet_v2"},
    {"backbone": "efficientnet_lite0"},
    {"local_head": "pcb", "head_channels": 16},
    {"feature": "before_bn"},
    {"local_branch": False},
    {"part_branch": True},
    {"global_branch": False, "semantic_branch": False},
    {"global_branch": False, "local_branch": False},
)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_in_float32_it_says_the_same(options: dict[str, object]) -> None:
    model = network(**options)
    expected, found = output(model, "fp32"), output(fused(model, "fp32"), "fp32")
    for field in ("global_feature", "local_features", "maps", "part_logits", "part_features"):
        a, b = getattr(found, field), getattr(expected, field)
        if b is None or not b.numel():
            assert a is None or a.shape == b.shape, field
        else:
            assert distance(a, b) < 1e-5, field
    assert torch.equal(found.visibility, expected.visibility)


@pytest.mark.parametrize(("precision", "bound"), [("bf16", 0.02), ("fp16", 0.003)])
def test_in_half_precision_it_is_as_close_as_autocast(precision: str, bound: float) -> None:
    """Measured: 0.4 % and 0.05 % of the features' length, with autocast as well as folded."""
    model = network(local_head="pcb")
    expected, found = output(model, "fp32"), output(fused(model, precision), precision)
    for field in ("global_feature", "local_features"):
        assert 0 < distance(getattr(found, field), getattr(expected, field)) < bound
    for tensor in (found.global_feature, found.local_features, found.visibility, found.maps):
        assert tensor.dtype == torch.float32


def test_with_amx_the_deconvolutions_are_others_and_say_the_same() -> None:
    model = network()
    expected, found = output(fused(model, "bf16"), "bf16"), output(fused(model, "bf16", amx=True), "bf16")
    assert found.part_logits is not None and expected.part_logits is not None
    assert distance(found.part_logits, expected.part_logits.float()) < 0.02
    assert torch.equal(found.local_features, expected.local_features)


@pytest.mark.parametrize("backbone", ["mobilenet_v2", "efficientnet_lite0"])
def test_mobile_networks_in_half_precision_are_as_close_as_autocast(backbone: str) -> None:
    """Their features move further, but folding adds nothing to it."""
    model = network(backbone=backbone)
    expected = output(model, "fp32").local_features
    cast, folded = (output(one, "bf16").local_features for one in (model, fused(model, "bf16")))
    assert distance(folded, expected) < max(0.02, 2 * distance(cast, expected))


def test_norms_and_classifiers_are_gone_and_the_network_is_as_it_was() -> None:
    model = network(local_head="pcb")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    folded = fused(model, "bf16")
    left = [name for name, module in folded.named_modules() if isinstance(module, NORMS)]
    assert left == ["global_.norm"]  # behind a mean
    assert not any("classifier" in name for name in folded.state_dict())
    assert folded.backbone.layer4[1].conv2.weight.dtype == torch.bfloat16
    for name in ("mobilenet_v2", "efficientnet_lite0"):
        backbone = fused(network(backbone=name), "bf16").backbone
        assert not any(isinstance(module, NORMS) for module in backbone.modules()), name
    assert folded.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_features_and_explanations_are_taken_from_it_as_from_the_network() -> None:
    model, pixels = network(), images()
    mask, index = torch.zeros(pixels.shape[:3], dtype=torch.uint8), torch.arange(len(pixels))
    batch = Batch(pixels, mask, index, index, index > 0)
    folded = fused(model, "fp32")
    pairs = zip(
        (*engine.extract_features(folded, [batch], CPU, "fp32"), *engine.explain(folded, batch, CPU, "fp32")),
        (*engine.extract_features(model, [batch], CPU, "fp32"), *engine.explain(model, batch, CPU, "fp32")),
        strict=True,
    )
    for found, expected in pairs:
        torch.testing.assert_close(torch.from_numpy(found), torch.from_numpy(expected), rtol=1e-4, atol=1e-4)


def test_a_network_in_training_mode_cannot_be_folded() -> None:
    with pytest.raises(AssertionError, match="only the norms of evaluation mode"):
        fused(network().train(), "fp32")
