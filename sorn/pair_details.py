"""Similarities of single pairs by stripe and part group, for ranked lists."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.rules import Rule


@dataclass(frozen=True)
class PairDetails:
    """What makes one query similar to n gallery images.

    whole: D_global of Eq. 13, float32 [n], nan without a global feature. stripes: D_p of Eq. 14, float32 [n, P].
    parts: of the part groups, float32 [n, G]; G = 0 without a part branch. visibility: the query's scores v_p, float32
    [n, P]. shares: of the query's part groups, float32 [n, G]. second: bool [n], where all this is of the query's
    second view.
    """

    whole: np.ndarray
    stripes: np.ndarray
    parts: np.ndarray
    visibility: np.ndarray
    shares: np.ndarray
    second: np.ndarray


def pair_details(
    query: FeatureBank, number: int, gallery: FeatureBank, positions: np.ndarray, rule: Rule
) -> PairDetails:
    """Details of query `number` with some gallery images, int64 [n].

    Of two views of the query they are those of the more similar one under the rule, for each gallery image.
    """
    asked, ranked = query.take(np.array([number])), gallery.take(positions)
    first = _of_one_view(asked, ranked, second=False)
    if asked.second is None:
        return first
    views = replace(asked, second=None), asked.second.bank
    other = _of_one_view(views[1], ranked, second=True)
    as_it_is, moved = (next(similarity_blocks(view, ranked, [rule]))[1][0][0] for view in views)
    pairs = zip(vars(first).values(), vars(other).values(), strict=True)
    return PairDetails(*(_chosen(moved > as_it_is, *pair) for pair in pairs))


def _of_one_view(query: FeatureBank, ranked: FeatureBank, second: bool) -> PairDetails:
    """Details of a query, a bank of one image, with all images of another bank."""
    asked, count = query.features, len(ranked)
    whole = _cosines(query.global_[0], ranked.global_) if query.global_.shape[1] else np.full(count, np.nan, np.float32)
    return PairDetails(
        whole,
        _cosines(query.local[0], ranked.local),
        _cosines(asked.part_features[0], ranked.features.part_features),
        np.repeat(query.visibility, count, axis=0),
        np.repeat(asked.part_shares, count, axis=0),
        np.full(count, second),
    )


def _chosen(second: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows of the other array [n, ...] where `second`, else of the one."""
    return np.where(second.reshape(-1, *[1] * (one.ndim - 1)), other, one)


def _cosines(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines over the last axis, [...] and [n, ...]."""
    units = (functional.normalize(torch.from_numpy(a), dim=-1) for a in (one[None], others))
    similarity: np.ndarray = torch.linalg.vecdot(*units).clamp_(-1, 1).numpy()
    return similarity
