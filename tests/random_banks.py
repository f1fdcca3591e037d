"""Random feature banks, with and without ties, for tests of rankings."""

from __future__ import annotations

import numpy as np

from sorn import metrics
from sorn.features import FeatureBank
from sorn.metrics import Relevance


def bank(seed: int, images: int, ties: bool = False) -> FeatureBank:
    """Persons 0 to 19, cameras 1 to 3. ties: every vector has four entries of 1 or -1, so that products are exact in
    whatever order they are summed, and many are equal.
    """
    rng = np.random.default_rng(seed)

    def features(*shape: int) -> np.ndarray:
        values = rng.normal(size=(images, *shape)).astype(np.float32)
        if ties:
            largest = np.argsort(np.argsort(-np.abs(values), axis=-1), axis=-1) < 4
            values = np.sign(values) * largest
        return values

    visibility = rng.choice([0.0, 0.1, 0.3, 1.0], (images, 3)).astype(np.float32)
    names = np.array([f"{seed}/{i}.jpg" for i in range(images)])
    return FeatureBank(
        features(16), features(3, 8), visibility, rng.integers(0, 20, images), rng.integers(1, 4, images), names
    )


def relevance(query: FeatureBank, gallery: FeatureBank) -> Relevance:
    return metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
