"""Similarities of SORN by Eq. 12 to 15, in numpy alone.

    similarity(query, gallery)[i, j]    # -1 to 1, larger is closer

query, gallery: outputs of the exported network for some images, or a group of features.h5 (h5py), by name: "global" [N,
Dg], "local" [N, P, Dl], "visibility" [N, P]. What the network does not have is left out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

TAU = 0.15  # Eq. 12: a stripe with this share of foreground is visible


def similarity(query: Mapping[str, Any], gallery: Mapping[str, Any], tau: float = TAU) -> np.ndarray:
    """Similarity of every query to every gallery image, float32 [Nq, Ng]."""
    terms, counts = [], []
    if "global" in query and query["global"].shape[1]:
        terms.append(unit(query["global"]) @ unit(gallery["global"]).T)  # Eq. 13
        counts.append(np.ones_like(terms[0]))
    for stripe in range(query["local"].shape[1] if "local" in query else 0):
        terms.append(unit(query["local"][:, stripe]) @ unit(gallery["local"][:, stripe]).T)  # Eq. 14
        seen = (visible(images, stripe, tau) for images in (query, gallery))
        counts.append(np.outer(*seen).astype(np.float32))
    total, count = sum(term * counted for term, counted in zip(terms, counts, strict=True)), sum(counts)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(-1))  # Eq. 15; -1: nothing in common


def visible(images: Mapping[str, Any], stripe: int, tau: float) -> np.ndarray:
    """Whether each image shows a stripe (Eq. 12), bool [N]."""
    scores = images["visibility"][:, stripe] if "visibility" in images else np.ones(len(images["local"]))
    return np.asarray(scores >= np.float32(tau))


def unit(vectors: Any) -> np.ndarray:
    """Vectors of length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
