"""Pedestrian matching, Eq. 12-15 and Algorithm 1: two feature banks -> similarities, block by block.

The paper calls D a distance; it is a cosine similarity: larger is closer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sorn.config import check_choice
from sorn.features import FeatureBank

VARIANTS = ("global", "global+local", "sorn")
# Table II. "global": Eq. 13 alone. "global+local": Eq. 15 with every indicator 1. "sorn": Eq. 15.

NOTHING_IN_COMMON = -1.0
# Similarity of a pair without a common visible stripe and without global features: the lowest cosine.


def indicators(visibility: np.ndarray, tau: float) -> np.ndarray:
    """Eq. 12: visibility scores v_p [N, P] float32 -> I_p [N, P] float32, 1 where v_p >= tau, else 0."""
    return (visibility >= np.float32(tau)).astype(np.float32)


def variants(bank: FeatureBank) -> tuple[str, ...]:
    """Variants that apply to this bank: without stripes only "global", without global features all but "global"."""
    if bank.local.shape[1] == 0:
        return VARIANTS[:1]
    return VARIANTS if bank.global_.shape[1] else VARIANTS[1:]


def similarity_blocks(
    query: FeatureBank, gallery: FeatureBank, variant: str, tau: float, block: int = 256
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (slice of queries, similarities [b, Ng] float32), in query order.

    Eq. 15 for unit vectors, with the indicators folded into the local ones, is the product of two matrices (numerator)
    over the product of two narrow ones (denominator). A zero vector has similarity 0 to everything. Without stripes
    (P = 0) every variant is Eq. 13. Without global features (Dg = 0, "Local+Semantic" of Table I) the global term and
    its 1 leave Eq. 15; a pair that shares no stripe then gets NOTHING_IN_COMMON. Raises ValueError for an unknown
    variant, for "global" without global features, and for banks of different shapes.
    """
    check_choice("variant", variant, VARIANTS)
    if query.global_.shape[1:] != gallery.global_.shape[1:] or query.local.shape[1:] != gallery.local.shape[1:]:
        raise ValueError(
            f"features of different networks: query {query.global_.shape[1:]} and {query.local.shape[1:]}, "
            f"gallery {gallery.global_.shape[1:]} and {gallery.local.shape[1:]}"
        )
    with_global = query.global_.shape[1] > 0
    if variant == "global" and not with_global:
        raise ValueError('variant "global" needs global features; this network has no global branch')
    gallery_features, gallery_weights = _folded(gallery, variant, tau)
    for start in range(0, len(query), block):
        rows = slice(start, min(start + block, len(query)))
        features, weights = _folded(query, variant, tau, rows)
        numerator = features @ gallery_features.T  # [b, Ng]
        common = weights @ gallery_weights.T  # [b, Ng], 1 per stripe visible in both, and 1 for the global feature
        similarity = numerator.div_(common.clamp(min=1.0))
        if not with_global:
            similarity.masked_fill_(common == 0, NOTHING_IN_COMMON)
        yield rows, similarity.numpy()


def _folded(bank: FeatureBank, variant: str, tau: float, rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """Unit vectors side by side, local ones times their indicator [n, D], and the weights of Eq. 15 [n, 1 + P]."""
    global_ = torch.from_numpy(bank.global_[rows])
    n, width = global_.shape
    stripes = 0 if variant == "global" else bank.local.shape[1]
    visible = indicators(bank.visibility[rows], tau) if variant == "sorn" else np.ones_like(bank.visibility[rows])
    has_global = torch.full((n, 1), float(width > 0))
    weights = torch.cat([has_global, torch.from_numpy(visible[:, :stripes])], dim=1)
    features = torch.empty(n, width + stripes * bank.local.shape[2])
    features[:, :width] = functional.normalize(global_, dim=1)
    local = features[:, width:].view(n, stripes, -1) if stripes else None
    for p in range(stripes):
        unit = functional.normalize(torch.from_numpy(bank.local[rows, p]), dim=1)
        assert local is not None
        local[:, p] = unit * weights[:, 1 + p, None]
    return features, weights
