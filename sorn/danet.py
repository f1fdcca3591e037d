"""DANet, the part segmenter of the paper (Fu et al., CVPR 2019).

A dilated backbone with position and channel attention. Input: crops of people. Output: scores of the eight part
classes. The paper labels its training images with such a network (Section IV-B) and leaves its backbone open.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sorn.backbones import build_backbone
from sorn.normalisation import Normalisation
from sorn.parts import CLASSES

STRIDE = 8  # of the feature maps: both last stages keep their resolution and see further by dilation instead
REDUCTION = 4  # unless told otherwise, the heads work on a quarter of the backbone's channels
KEY_REDUCTION = 8  # the position attention compares vectors of an eighth of those


@dataclass(frozen=True)
class DANetOutput:
    """Scores before softmax at stride 8, each [B, K, H/8, W/8].

    One map of scores is from the fused sum, the other two are from each attention alone. Training uses all three;
    labels use the fused scores.
    """

    fused: Tensor
    position: Tensor
    channel: Tensor


class DANet(nn.Module):
    """Part segmenter with two attention modules.

    Input: [B, 3, H, W] float, normalised by `normalisation`; H and W divisible by 8. width: channels of the heads; 0 is
    a quarter of the backbone's. Raises ValueError as `build_backbone` does.
    """

    def __init__(self, backbone: str, labels: int = len(CLASSES), width: int = 0) -> None:
        super().__init__()
        self.backbone = build_backbone(backbone, STRIDE)
        channels = self.backbone.channels[-1]
        width = width or channels // REDUCTION
        self.to_position, self.to_channel = (_convolution(channels, width) for _ in range(2))
        self.position_attention, self.channel_attention = PositionAttention(width), ChannelAttention()
        self.after_position, self.after_channel = (_convolution(width, width) for _ in range(2))
        self.classify_position, self.classify_channel, self.classify_fused = (
            nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(width, labels, kernel_size=1)) for _ in range(3)
        )

    @property
    def normalisation(self) -> Normalisation:
        """Normalisation of its input."""
        return self.backbone.normalisation

    def forward(self, image: Tensor) -> DANetOutput:
        features = self.backbone(image).block4  # [B, c, H/8, W/8]
        position = self.after_position(self.position_attention(self.to_position(features)))
        channel = self.after_channel(self.channel_attention(self.to_channel(features)))
        return DANetOutput(
            self.classify_fused(position + channel), self.classify_position(position), self.classify_channel(channel)
        )


class PositionAttention(nn.Module):
    """Position attention: each position receives the features of similar positions.

    Fu et al., Eq. 1 and 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // KEY_REDUCTION, 1)
        self.query, self.key = (nn.Conv2d(channels, inner, kernel_size=1) for _ in range(2))
        self.value = nn.Conv2d(channels, channels, kernel_size=1)
        self.scale = nn.Parameter(torch.zeros(1))  # alpha: attention fades in from nothing

    def forward(self, features: Tensor) -> Tensor:
        """Attended features in float32, [B, c, h, w] -> the same shape.

        A sum over all positions loses too much in bf16.
        """
        query, key, value = (conv(features).flatten(2) for conv in (self.query, self.key, self.value))
        with torch.autocast(features.device.type, enabled=False):
            affinity = torch.bmm(query.float().transpose(1, 2), key.float()).softmax(dim=2)  # [B, hw, hw]
            gathered = torch.bmm(value.float(), affinity.transpose(1, 2)).view(features.shape)
            return self.scale * gathered + features.float()


class ChannelAttention(nn.Module):
    """Channel attention: each channel receives the values of similar channels.

    Fu et al., Eq. 3 and 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))  # beta

    def forward(self, features: Tensor) -> Tensor:
        """Attended features in float32, [B, c, h, w] -> the same shape.

        The products are divided by the square root of their length. Without this division (Eq. 3 as written) the
        softmax over sums of some hundred squares picks one channel and has no gradient.
        """
        with torch.autocast(features.device.type, enabled=False):
            flat = features.float().flatten(2)  # [B, c, hw]
            affinity = torch.bmm(flat, flat.transpose(1, 2)) * flat.shape[2] ** -0.5
            return self.scale * torch.bmm(affinity.softmax(dim=2), flat).view(features.shape) + features.float()


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def danet_loss(output: DANetOutput, target: Tensor, aux_weight: float) -> dict[str, Tensor]:
    """Cross-entropies by name, and their weighted sum as "total".

    target: [B, H, W] int64. Each loss is the mean over pixels and batch. The scores are enlarged to the size of the
    target, so that thin parts keep their pixels.
    """
    height, width = target.shape[1:]
    losses = {
        name: functional.cross_entropy(enlarged(getattr(output, name), (height, width)), target)
        for name in ("fused", "position", "channel")
    }
    total = losses["fused"] + aux_weight * (losses["position"] + losses["channel"])
    return {**losses, "total": total}


@torch.inference_mode()
def part_scores(model: DANet, image: Tensor, flip: bool) -> Tensor:
    """Fused part scores [B, K, H/8, W/8] float32 of network inputs [B, 3, H, W].

    `enlarged` resizes them to any size. flip: the mean with the scores of the mirrored images; every class is
    side-symmetric, so no label changes.
    """
    scores: Tensor = model(image).fused.float()
    if not flip:
        return scores
    mean: Tensor = (scores + model(image.flip(3)).fused.float().flip(3)) / 2
    return mean


def enlarged(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Scores resized by bilinear interpolation, [B, K, h, w] -> float32 [B, K, H, W]."""
    return functional.interpolate(scores.float(), size=size, mode="bilinear", align_corners=False)
