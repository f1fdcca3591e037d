"""The backbones keep the published weights and the paper's last stride."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional

from sorn.backbone import DilatedDepthwise, load_backbone
from sorn.backbones import build_backbone
from sorn.config import BACKBONES, DANET_BACKBONES, OPEN
from sorn.efficientnet_lite import EfficientNetLite0, SameConv2d
from sorn.normalisation import IMAGENET, TENSORFLOW

OWN = [name for name in BACKBONES if not name.endswith(OPEN)]


@pytest.mark.parametrize("name", OWN)
@torch.inference_mode()
def test_the_last_stage_keeps_its_resolution(name):
    backbone = build_backbone(name).eval()
    stages = backbone(torch.zeros(1, 3, 96, 32))
    assert [tuple(stage.shape) for stage in stages] == [
        (1, channels, *size) for channels, size in zip(backbone.channels, [(12, 4), (6, 2), (6, 2)], strict=True)
    ]


@pytest.mark.parametrize("name", [name for name in DANET_BACKBONES if not name.endswith(OPEN)])
@torch.inference_mode()
def test_with_stride_8_the_last_two_stages_dilate(name):
    backbone = build_backbone(name, 8).eval()
    assert {tuple(stage.shape[2:]) for stage in backbone(torch.zeros(1, 3, 96, 32))} == {(12, 4)}
    plain = build_backbone(name).state_dict()
    assert {key: value.shape for key, value in backbone.state_dict().items()} == {
        key: value.shape for key, value in plain.items()
    }


@pytest.mark.parametrize(("dilation", "kernel", "size"), [(2, 3, (20, 10)), (4, 5, (9, 7)), (2, 5, (1, 3))])
def test_a_dilated_convolution_of_small_maps_is_the_convolution(dilation, kernel, size):
    torch.manual_seed(0)
    conv, maps = nn.Conv2d(6, 6, kernel, groups=6, bias=False), torch.randn(3, 6, *size, requires_grad=True)
    own = DilatedDepthwise.of(conv, dilation)
    expected = functional.conv2d(maps, conv.weight, padding=kernel // 2 * dilation, dilation=dilation, groups=6)
    torch.testing.assert_close(own(maps), expected)
    gradients = [torch.autograd.grad(out.square().sum(), (maps, conv.weight)) for out in (own(maps), expected)]
    torch.testing.assert_close(gradients[0], gradients[1])


def test_each_has_the_normalisation_of_its_weights():
    assert {name: build_backbone(name).normalisation for name in OWN} == {
        name: TENSORFLOW if name == "efficientnet_lite0" else IMAGENET for name in OWN
    }


@torch.inference_mode()
def test_torchvision_weights_give_torchvision_features_up_to_the_stride():
    torch.manual_seed(0)
    original = torchvision.models.resnet18(weights=None).eval()
    backbone = build_backbone("resnet18").eval()
    load_backbone(backbone, original.state_dict())
    image = torch.randn(1, 3, 64, 32)
    x = original.maxpool(original.relu(original.bn1(original.conv1(image))))
    torch.testing.assert_close(backbone(image).block3, original.layer3(original.layer2(original.layer1(x))))


@torch.inference_mode()
def test_so_do_those_of_mobilenet():
    torch.manual_seed(0)
    original = torchvision.models.mobilenet_v2(weights=None).eval()
    backbone = build_backbone("mobilenet_v2").eval()
    load_backbone(backbone, original.state_dict())
    image = torch.randn(1, 3, 64, 32)
    torch.testing.assert_close(backbone(image).block3, original.features[:14](image))


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(ValueError, match="backbone weights"):
        load_backbone(build_backbone("resnet18"), torchvision.models.resnet34(weights=None).state_dict())
    with pytest.raises(ValueError, match=r"missing: bn1\.bias"):
        load_backbone(build_backbone("resnet18"), {})
    lite = EfficientNetLite0()
    with pytest.raises(ValueError, match=r"missing: _blocks\.15\._bn1\.weight$"):
        load_backbone(lite, {key: value for key, value in lite.state_dict().items() if key != "_blocks.15._bn1.weight"})


@pytest.mark.parametrize(("kernel", "after"), [(3, 1), (5, 2)])
def test_padding_same_puts_the_odd_row_below_and_on_the_right(kernel, after):
    """TensorFlow: ceil(n / 2) outputs, (outputs - 1) * 2 + kernel - n rows of padding, the smaller half above."""
    conv = SameConv2d(1, 1, kernel, stride=2)
    nn.init.ones_(conv.weight)
    image = torch.zeros(1, 1, 8, 8)
    image[..., 0, 0] = 1
    image[..., 7, 7] = 10
    before = kernel - 2 - after
    padded = functional.pad(image, (before, after, before, after))
    expected = functional.conv2d(padded, conv.weight, stride=2)
    assert expected.shape == (1, 1, 4, 4) and torch.equal(conv(image), expected)
    assert expected[0, 0, 0, 0] == 1 and expected[0, 0, 3, 3] == 10


def test_efficientnet_lite0_has_the_size_of_its_paper():
    backbone = EfficientNetLite0()
    classifier = 1280 * 1000 + 1000
    parameters = sum(parameter.numel() for parameter in backbone.parameters())
    assert round((parameters + classifier) / 1e6, 2) == 4.65  # million, as published with the weights
    assert all(
        norm.eps == 1e-3 and norm.momentum == 0.01 for norm in backbone.modules() if isinstance(norm, nn.BatchNorm2d)
    )


@pytest.mark.parametrize("name", ["resnet10", "efficientnet_lite0"])
def test_frozen_norms_stay_as_they_are_and_the_rest_learns(name):
    torch.manual_seed(0)
    backbone = build_backbone(name)
    backbone.freeze_norms()
    backbone.train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 32, 32)).block4.sum().backward()
    norms = {key for module, norm in backbone.named_modules() for key in held(module, norm)}
    learning = {key for key, weights in backbone.named_parameters() if weights.grad is not None}
    assert learning == before.keys() - norms and norms
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())
    backbone.eval()
    assert not any(module.training for module in backbone.modules())


@pytest.mark.parametrize("name", ["resnet10", "mobilenet_v2", "efficientnet_lite0"])
def test_frozen_early_layers_stay_as_they_are_and_the_rest_learns(name):
    torch.manual_seed(0)
    backbone = build_backbone(name)
    backbone.freeze_early()
    backbone.train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    block2, block3, block4 = backbone(torch.randn(2, 3, 32, 32))
    (block3.sum() + block4.sum()).backward()
    assert not block2.requires_grad
    first = {"resnet10": "layer3", "mobilenet_v2": "features.7", "efficientnet_lite0": "_blocks.5"}[name]
    learning = [key for key, weights in backbone.named_parameters() if weights.grad is not None]
    names = [key for key, _ in backbone.named_parameters()]
    assert learning[0].startswith(f"{first}.") and learning == names[-len(learning) :]
    changed = {key for key, value in backbone.state_dict().items() if not torch.equal(value, before[key])}
    assert changed and all(
        key.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked") for key in changed
    )
    assert not any(
        value.requires_grad or key in changed for key, value in backbone.named_parameters() if key not in learning
    )


def held(module: str, norm: nn.Module) -> set[str]:
    """Names of the weights and statistics of a batch norm; none of another module."""
    return {f"{module}.{key}" for key in norm.state_dict()} if isinstance(norm, nn.BatchNorm2d) else set()
