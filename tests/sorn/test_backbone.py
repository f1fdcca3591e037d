"""The backbone keeps torchvision's weights and the paper's last stride."""

import pytest
import torch
import torchvision

from sorn.backbone import Backbone, load_resnet


@pytest.mark.parametrize("name", ["resnet10", "resnet18", "resnet34", "resnet50"])
@torch.inference_mode()
def test_the_last_stage_keeps_its_resolution(name):
    backbone = Backbone(name).eval()
    stages = backbone(torch.zeros(1, 3, 96, 32))
    assert [tuple(stage.shape) for stage in stages] == [
        (1, channels, *size) for channels, size in zip(backbone.channels, [(12, 4), (6, 2), (6, 2)], strict=True)
    ]


@torch.inference_mode()
def test_torchvision_weights_give_torchvision_features_up_to_the_stride():
    torch.manual_seed(0)
    original = torchvision.models.resnet18(weights=None).eval()
    backbone = Backbone("resnet18").eval()
    load_resnet(backbone, original.state_dict())
    image = torch.randn(1, 3, 64, 32)
    x = original.maxpool(original.relu(original.bn1(original.conv1(image))))
    torch.testing.assert_close(backbone(image).block3, original.layer3(original.layer2(original.layer1(x))))


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(ValueError, match="backbone weights"):
        load_resnet(Backbone("resnet18"), torchvision.models.resnet34(weights=None).state_dict())
    with pytest.raises(ValueError, match=r"missing: bn1\.bias"):
        load_resnet(Backbone("resnet18"), {})
