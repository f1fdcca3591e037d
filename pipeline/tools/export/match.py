"""Similarities of SORN by Eq. 12 to 15, in numpy alone.

    similarity(query, gallery)[i, j]    # -1 to 1, larger is closer

query, gallery: outputs of the exported network for some images, or a group of features.h5 (h5py), by name: "global" [N,
Dg], "local" [N, P, Dl], "visibility" [N, P], and of a part branch "part_features" [N, G, Dp], "part_shares" [N, G].
What the network does not have is left out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

TAU = 0.15  # Eq. 12: a stripe with this share of foreground is visible


def similarity(
    query: Mapping[str, Any], gallery: Mapping[str, Any], tau: float = TAU, part_tau: float | None = None
) -> np.ndarray:
    """Similarity of every query to every gallery image, float32 [Nq, Ng].

    part_tau: least share of the image that a visible part group has, for the variants with parts; None for those of the
    paper, which leave part groups out.
    """
    terms, counts = [], []
    kinds = [("local", "visibility", tau)]
    kinds += [] if part_tau is None else [("part_features", "part_shares", part_tau)]
    if "global" in query and query["global"].shape[1]:
        terms.append(unit(query["global"]) @ unit(gallery["global"]).T)  # Eq. 13
        counts.append(np.ones_like(terms[0]))
    for name, scores, least in kinds:
        for k in range(query[name].shape[1] if name in query else 0):
            terms.append(unit(query[name][:, k]) @ unit(gallery[name][:, k]).T)  # Eq. 14
            seen = [shown(images, name, scores, least)[:, k] for images in (query, gallery)]
            counts.append(np.outer(*seen).astype(np.float32))
    total, count = sum(term * counted for term, counted in zip(terms, counts, strict=True)), sum(counts)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(-1))  # Eq. 15; -1: nothing in common


def shown(images: Mapping[str, Any], name: str, scores: str, least: float) -> np.ndarray:
    """Stripes or part groups that each image shows (Eq. 12).

    bool [N, n]; all of them without scores.
    """
    values = images[scores][()] if scores in images else np.ones(images[name].shape[:2], np.float32)
    return np.asarray(values >= np.float32(least))


def unit(vectors: Any) -> np.ndarray:
    """Vectors of length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
