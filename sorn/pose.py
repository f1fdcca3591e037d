"""Stripe visibility from landmarks: the "+P" of Table III, in the place of Eq. 11. numpy only."""

from __future__ import annotations

import numpy as np


def stripe_visibility(keypoints: np.ndarray, stripes: int) -> np.ndarray:
    """Keypoints [N, 17, 3] float32 (x, y in fractions of the image, confidence) -> [N, stripes] float32 in [0, 1].

    A stripe's score is the highest confidence of the landmarks inside it, 0 where there is none. With the threshold of
    Eq. 12 this is the rule of PGFA (Miao et al., ICCV 2019, Section 3.3): a part is visible when a landmark of enough
    confidence lies in it. Stripes are equal shares of the image's height, top to bottom; a landmark on the border of
    two belongs to the lower one, one outside the image to none.
    """
    x, y, confidence = np.moveaxis(keypoints, 2, 0)  # [N, 17] each
    stripe = np.floor(y * np.float32(stripes))
    inside = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    found = np.zeros((len(keypoints), stripes), np.float32)
    for p in range(stripes):
        found[:, p] = np.where(inside & (stripe == p), confidence, 0).max(axis=1)
    return found
