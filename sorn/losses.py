"""Losses of the paper: identity, spatial-patch contrastive, part segmentation and total.

Eq. 1 and 6, Eq. 5, Eq. 7-9, and Eq. 10. The identity loss of visible part groups is not in the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sorn.branches import stripe_bounds
from sorn.config import LossConfig, SORNConfig
from sorn.network import SORNOutput
from sorn.parts import PART_TAU

NO_LABEL = -100  # of a pixel that L_seg leaves out


def identity(logits: Tensor, label: Tensor, smoothing: float = 0.0) -> Tensor:
    """Identity loss: cross-entropy, mean over the batch.

    logits: [B, J] (Eq. 6), or [B, P, J], summed over the P stripes (Eq. 1). smoothing: share of the truth that all J
    identities have in equal parts.
    """
    if logits.ndim == 2:
        return functional.cross_entropy(logits.float(), label, label_smoothing=smoothing)
    return sum((identity(stripe, label, smoothing) for stripe in logits.unbind(1)), logits.new_zeros(()))


def visible_identity(logits: Tensor, label: Tensor, visible: Tensor, smoothing: float = 0.0) -> Tensor:
    """Identity loss of the visible part groups, mean over the batch.

    Cross-entropy, summed over the groups that an image shows. logits: [B, G, J]. label: [B] int64. visible: bool [B,
    G]. An image that shows no group adds 0, and is counted. smoothing: as of `identity`.
    """
    repeated = label[:, None].expand(visible.shape).flatten()
    flat = logits.float().flatten(0, 1)
    losses = functional.cross_entropy(flat, repeated, reduction="none", label_smoothing=smoothing)
    return (losses * visible.flatten()).sum() / len(label)


def spatial_patch_contrastive(maps: Tensor, reduction: str = "sum") -> Tensor:
    """SPC loss L_SPC (Eq. 5), mean over the batch.

    It measures what each map M_n shows outside its own patch, the n-th. maps: [B, N, h, w]. reduction: "sum" over
    positions, as written, or "mean", divided by h*w. With N = 1 there is one patch, and the loss is 0.
    """
    sets, rows, columns = maps.shape[1:]
    outside = torch.ones(sets, rows, 1, device=maps.device)
    for n, (start, stop) in enumerate(stripe_bounds(rows, sets)):
        outside[n, start:stop] = 0
    total = (maps * outside).sum(dim=(1, 2, 3)).mean()
    return total / (rows * columns) if reduction == "mean" else total


def part_segmentation(logits: Tensor, target: Tensor, smoothing: float, labelled: Tensor | None = None) -> Tensor:
    """Segmentation loss L_seg (Eq. 7-9), mean over the labelled pixels.

    logits: [B, K, 4h, 4w]. target: [B, 4h, 4w] int64 in 0..K-1, or NO_LABEL. Without a labelled pixel the loss is 0.
    labelled: float scalar, the number of images whose pixels the mean counts; default: the labelled images of this
    batch. For the pieces of a larger batch, give the number of labelled images per piece: the mean of the pieces is
    then that of the whole batch.
    """
    classes, known = logits.shape[1], (target != NO_LABEL).unsqueeze(1)  # [B, 1, 4h, 4w]
    truth = target.unsqueeze(1) == torch.arange(classes, device=target.device).view(-1, 1, 1)  # [B, K, 4h, 4w]
    # Eq. 8 and 9 written out: torch's cross-entropy over maps sums in no fixed order on a GPU.
    smoothed = truth * (1 - smoothing) + known * (smoothing / classes)
    total = -(smoothed * functional.log_softmax(logits.float(), dim=1)).sum()
    if labelled is None:
        return total / known.sum().clamp(min=1)
    return total / (labelled.clamp(min=1e-9) * target[0].numel())  # without labels the sum is 0


def loss_parts(config: SORNConfig) -> tuple[str, ...]:
    """Names of the losses that `sorn_loss` returns for this network, in order."""
    parts = {
        "local": config.local_branch,
        "global": config.global_branch,
        "spc": config.global_branch,
        "seg": config.semantic_branch,
        "part": config.part_branch,
    }
    return (*(name for name, on in parts.items() if on), "total")


def sorn_loss(
    output: SORNOutput, label: Tensor, parts: Tensor | None, config: LossConfig, labelled: Tensor | None = None
) -> dict[str, Tensor]:
    """Losses of Eq. 10 by name, and their weighted sum as "total".

    A branch that is off has no loss. "part" is that of the part branch, which Eq. 10 does not have. label: [B] int64.
    parts: [B, 4h, 4w] int64, NO_LABEL where the class is unknown; needed with a semantic branch. labelled: as in
    `part_segmentation`.
    """
    losses, total = {}, torch.zeros((), device=label.device)
    if output.local_features.shape[1]:
        losses["local"] = identity(output.local_logits, label, config.identity_smoothing)
        total = total + losses["local"]
    if output.global_feature.shape[1]:
        losses["global"] = identity(output.global_logits, label, config.identity_smoothing)
        losses["spc"] = spatial_patch_contrastive(output.maps, config.spc_reduction)
        total = total + config.global_weight * losses["global"] + config.spc_weight * losses["spc"]
    if output.part_logits is not None:
        if parts is None:
            raise ValueError("the semantic branch is on, but the batch has no part labels")
        losses["seg"] = part_segmentation(output.part_logits, parts, config.label_smoothing, labelled)
        total = total + config.seg_weight * losses["seg"]
    if output.part_features.shape[1]:
        visible = output.part_shares >= PART_TAU
        losses["part"] = visible_identity(output.part_identities, label, visible, config.identity_smoothing)
        total = total + config.part_weight * losses["part"]
    return {**losses, "total": total}
