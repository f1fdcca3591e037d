"""ResNet backbone with last stride 1 (Sections III-A, III-D)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock


class Stages(NamedTuple):
    """Feature maps of the ResNet stages 2, 3 and 4.

    block2: [B, c2, 2h, 2w]. block3: [B, c3, h, w]. block4: [B, c, h, w]. An input of 384x128 pixels gives h = 24, w =
    8.
    """

    block2: Tensor
    block3: Tensor
    block4: Tensor


class Backbone(nn.Module):
    """torchvision's ResNet without its classifier.

    The parameters have torchvision's names, so that torchvision's weight files fit.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        resnet = ResNet(BasicBlock, [1, 1, 1, 1]) if name == "resnet10" else getattr(torchvision.models, name)()
        _remove_last_stride(resnet)
        self.conv1, self.bn1, self.relu, self.maxpool = resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4
        c = resnet.fc.in_features
        self.channels = (c // 4, c // 2, c)  # of blocks 2, 3 and 4

    def forward(self, image: Tensor) -> Stages:
        """Feature maps of stages 2, 3 and 4.

        image: [B, 3, H, W] float, normalised by the mean and standard deviation of ImageNet.
        """
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        block2 = self.layer2(self.layer1(x))
        block3 = self.layer3(block2)
        return Stages(block2, block3, self.layer4(block3))


def _remove_last_stride(resnet: ResNet) -> None:
    """Last stride 1: 24x8 maps at 384x128 pixels (Section III-A, after PCB)."""
    for module in resnet.layer4.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def load_resnet(backbone: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Load torchvision ResNet weights, without the classifier `fc`.

    Raises ValueError naming what does not fit.
    """
    weights = {key: value for key, value in weights.items() if not key.startswith("fc.")}
    own = backbone.state_dict()
    missing = sorted(own.keys() - weights.keys())
    unknown = sorted(weights.keys() - own.keys())
    shapes = sorted(key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape)
    for problem, keys in (("missing", missing), ("unknown", unknown), ("of another shape", shapes)):
        if keys:
            raise ValueError(f"backbone weights {problem}: {', '.join(keys[:3])}{' ...' if len(keys) > 3 else ''}")
    backbone.load_state_dict(weights)
