"""Part branch: one feature per group of body parts.

It is not in the paper. A stripe is a place in the picture. A part group is a place on the body, wherever the picture
shows it. So two pictures that show the body at different heights can still be compared part by part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sorn.branches import MASK_SCALE, identity_classifier
from sorn.parts import PART_GROUPS


def part_weights(part_logits: Tensor) -> Tensor:
    """Share of each part group at each position of the feature map.

    Part logits [B, K, 4h, 4w] -> float32 [B, G, h, w] in [0, 1], the mean probability of the group's classes. They have
    no gradient: identities do not train the semantic branch.
    """
    likely = part_logits.detach().float().softmax(dim=1)
    return nn.functional.avg_pool2d(_grouped(likely), MASK_SCALE)


def part_shares(part_logits: Tensor) -> Tensor:
    """Share of the picture's pixels that belong to each part group.

    A pixel belongs to its most likely class. Part logits [B, K, 4h, 4w] -> float32 [B, G] in [0, 1].
    """
    label = part_logits.argmax(dim=1)
    pixels = torch.stack([(label == one).sum(dim=(1, 2)) for one in range(part_logits.shape[1])], dim=1)
    return _grouped(pixels).float() / label[0].numel()


def _grouped(values: Tensor) -> Tensor:
    """Sum over the classes of each part group, [B, K, ...] -> [B, G, ...]."""
    groups = PART_GROUPS[values.shape[1]].values()
    return torch.stack([torch.stack([values[:, one] for one in classes]).sum(dim=0) for classes in groups], dim=1)


def part_means(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of a feature map for each part group.

    features: T [B, c, h, w]. weights: [B, G, h, w], as `part_weights`. Returns [B, G, c]. A group that has no weight
    anywhere has the feature 0.
    """
    flat = weights.flatten(2)  # [B, G, h w]
    total = flat.sum(dim=2, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
    return (flat / total) @ features.flatten(2).transpose(1, 2)


class PartBranch(nn.Module):
    """Part branch: one feature and one identity classifier per part group.

    Each group: weighted mean -> BN -> feature.
    """

    def __init__(self, channels: int, labels: int, identities: int, bias: bool) -> None:
        super().__init__()
        groups = range(len(PART_GROUPS[labels]))
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in groups)
        self.classifiers = nn.ModuleList(identity_classifier(channels, identities, bias) for _ in groups)

    def forward(self, features: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled features, normalised features and identity logits of the part groups.

        features: T [B, c, h, w]. weights: [B, G, h, w], as `part_weights`. Returns pooled and normalised [B, G, c],
        logits [B, G, J].
        """
        pooled = part_means(features, weights)
        normed = torch.stack([norm(pooled[:, k]) for k, norm in enumerate(self.norms)], dim=1)
        logits = torch.stack([classify(normed[:, k]) for k, classify in enumerate(self.classifiers)], dim=1)
        return pooled, normed, logits
