"""Backbones by name: torchvision's, EfficientNet-Lite0, and timm's.

torchvision is imported where one of its networks is built: that takes as long as to import torch.
"""

from __future__ import annotations

from torch import Tensor, nn

from sorn.backbone import Backbone, Stages, keep_resolution
from sorn.config import STRIDE, TIMM
from sorn.depthwise import use_depthwise
from sorn.efficientnet_lite import EfficientNetLite0
from sorn.narrow_maps import use_strided
from sorn.relu import use_relu
from sorn.timm_backbone import TimmBackbone


class ResNetBackbone(Backbone):
    """torchvision's ResNet.

    The parameters have torchvision's names, so that torchvision's weight files fit.
    """

    head = ("fc.",)

    def __init__(self, name: str, stride: int = STRIDE) -> None:
        from torchvision.models import resnet as networks

        super().__init__()
        small = name == "resnet10"
        resnet = networks.ResNet(networks.BasicBlock, [1, 1, 1, 1]) if small else getattr(networks, name)()
        keep_resolution(resnet.layer3, resnet.layer4, stride)
        self.conv1, self.bn1, self.relu, self.maxpool = resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4
        c = resnet.fc.in_features
        self.channels = (c // 4, c // 2, c)

    def forward(self, image: Tensor) -> Stages:
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        block2 = self.layer2(self.layer1(x))
        block3 = self.layer3(block2)
        return Stages(block2, block3, self.layer4(block3))


class MobileNetV2Backbone(Backbone):
    """torchvision's MobileNetV2 (Sandler et al., CVPR 2018).

    The parameters have torchvision's names. The last map is that of the 1x1 convolution with 1280 channels.
    """

    head = ("classifier.",)
    ends = (6, 13)  # last layers of stride 8 and 16

    def __init__(self, stride: int = STRIDE) -> None:
        from torchvision.models import mobilenet_v2

        super().__init__()
        self.features: nn.Sequential = mobilenet_v2().features
        second, third = self.ends
        keep_resolution(self.features[second + 1 : third + 1], self.features[third + 1 :], stride)
        use_depthwise(self.features)
        self.channels = (32, 96, 1280)

    def forward(self, image: Tensor) -> Stages:
        x, maps = image, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.ends:
                maps.append(x)
        block2, block3 = maps
        return Stages(block2, block3, x)


def build_backbone(name: str, stride: int = STRIDE) -> Backbone:
    """Backbone of a name, with random weights.

    name: one of `sorn.config.BACKBONES` or DANET_BACKBONES, or timm:NAME. stride: of the last map; 16 for SORN, where
    block 4 keeps the resolution of block 3, or 8 for DANet, where both see further by dilation instead. Raises
    ValueError for a network of timm that is not known or has no such maps, and without the package timm.
    """
    backbone = _backbone(name, stride)
    use_strided(backbone)
    use_relu(backbone)
    return backbone


def _backbone(name: str, stride: int) -> Backbone:
    if name.startswith(TIMM):
        return TimmBackbone(name.removeprefix(TIMM), stride)
    if name == "efficientnet_lite0":
        return EfficientNetLite0(stride)
    return MobileNetV2Backbone(stride) if name == "mobilenet_v2" else ResNetBackbone(name, stride)
