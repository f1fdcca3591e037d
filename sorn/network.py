"""SORN network: one backbone, its branches, one typed output (Fig. 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sorn.backbones import build_backbone
from sorn.branches import GlobalBranch, LocalBranch, SemanticBranch, visibility_scores
from sorn.config import SORNConfig
from sorn.normalisation import Normalisation
from sorn.part_branch import PartBranch, part_shares, part_weights


@dataclass(frozen=True)
class SORNOutput:
    """Output of one forward pass.

    A branch that is off gives tensors of width 0, so that the shapes are predictable.

    global_feature: [B, N c'] (width 0 when off). local_features: [B, P, c] ([B, 0, c] when off); with the head "pcb"
    [B, P, head_channels]. Both are float32, as matching uses them. global_logits: [B, J]. local_logits: [B, P, J].
    maps: M_n, [B, N, h, w] float32 in (0, 1). part_logits: [B, K, 4h, 4w], or None without a semantic branch.
    visibility: v_p of Eq. 11, [B, P] float32; ones without a semantic branch; [B, 0] with the global branch alone,
    which has no stripes; [B, P] with the semantic branch alone, which may score the stripes of another network.
    part_features: [B, G, c] float32, of the part groups ([B, 0, c] when off). part_identities: their identity logits,
    [B, G, J]. part_shares: the share of each group in the image, [B, G] float32.
    """

    global_feature: Tensor
    local_features: Tensor
    global_logits: Tensor
    local_logits: Tensor
    maps: Tensor
    part_logits: Tensor | None
    visibility: Tensor
    part_features: Tensor
    part_identities: Tensor
    part_shares: Tensor


class SORN(nn.Module):
    """Semantic-aware occlusion-robust network.

    Input: [B, 3, H, W] float, normalised by `normalisation`; H and W divisible by 16. Raises ValueError as
    `build_backbone` does.
    """

    def __init__(self, config: SORNConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone)
        block2, block3, c = self.backbone.channels
        j, bias = config.identities, config.classifier_bias
        reduced = config.head_channels if config.local_head == "pcb" else 0
        self.local = LocalBranch(c, config.stripes, j, bias, reduced) if config.local_branch else None
        self.global_ = (
            GlobalBranch(c, config.channel_sets, config.set_channels or c // 2, j, bias, config.logit_bound)
            if config.global_branch
            else None
        )
        self.semantic = (
            SemanticBranch((block2, block3, c), config.semantic_channels, config.labels)
            if config.semantic_branch
            else None
        )
        self.part = PartBranch(c, config.labels, j, bias) if config.part_branch else None

    @property
    def feature_width(self) -> int:
        """Numbers of the features of one image, of all branches."""
        c = self.backbone.channels[-1]
        parts = c * len(self.part.norms) if self.part is not None else 0
        if self.config.local_head == "pcb" and self.config.feature == "after_bn":
            c = self.config.head_channels
        whole = self.global_.expand.out_channels if self.global_ is not None else 0
        return whole + (self.config.stripes * c if self.local is not None else 0) + parts

    @property
    def normalisation(self) -> Normalisation:
        """Normalisation of its input."""
        return self.backbone.normalisation

    def forward(self, image: Tensor) -> SORNOutput:
        stages = self.backbone(image)
        with torch.autocast(image.device.type, enabled=False):  # pooling, BN and classifiers are cheap: keep them exact
            features = stages.block4.float()
            batch, c, h, w = features.shape
            none = features.new_zeros
            after_bn = self.config.feature == "after_bn"

            local_features, local_logits = none(batch, 0, c), none(batch, 0, self.config.identities)
            if self.local is not None:
                pooled, normed, local_logits = self.local(features)
                local_features = normed if after_bn else pooled

            global_feature, maps = none(batch, 0), none(batch, 0, h, w)
            global_logits = none(batch, self.config.identities)
            if self.global_ is not None:
                pooled, normed, global_logits, maps = self.global_(features)
                global_feature = normed if after_bn else pooled

        part_logits = None
        segmenter = self.local is None and self.global_ is None
        stripes = self.config.stripes if segmenter else local_features.shape[1]
        visibility = torch.ones(batch, stripes, device=image.device)
        if self.semantic is not None:
            part_logits = self.semantic(*stages)
            if stripes:
                visibility = visibility_scores(part_logits, stripes)

        part_features, part_identities = none(batch, 0, c), none(batch, 0, self.config.identities)
        shares = none(batch, 0)
        if self.part is not None and part_logits is not None:
            with torch.autocast(image.device.type, enabled=False):
                pooled, normed, part_identities = self.part(features, part_weights(part_logits))
            part_features, shares = normed if after_bn else pooled, part_shares(part_logits)
        return SORNOutput(
            global_feature,
            local_features,
            global_logits,
            local_logits,
            maps,
            part_logits,
            visibility,
            part_features,
            part_identities,
            shares,
        )
