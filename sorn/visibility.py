"""Stripe visibility scores from keypoints or from an external segmenter.

Both take the place of the network's own scores (Eq. 11): "+P" and "+S" in Table III of the paper.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from sorn.batch import Batch, to_input
from sorn.branches import visibility_scores
from sorn.engine import autocast
from sorn.network import SORN


def keypoint_visibility(keypoints: np.ndarray, stripes: int) -> np.ndarray:
    """Visibility scores of the stripes from keypoints: float32 [N, stripes] in [0, 1].

    keypoints: [N, 17, 3] float32: x and y as fractions of the image, and the confidence.

    The score of a stripe is the highest confidence of the keypoints inside it, or 0 without any keypoint. With the
    threshold of Eq. 12 this is the rule of PGFA (Miao et al., ICCV 2019, Section 3.3): a stripe is visible when it
    contains a keypoint of enough confidence. The stripes divide the height of the image equally, from top to bottom. A
    keypoint on the border of two stripes belongs to the lower one. A keypoint outside the image belongs to none.
    """
    x, y, confidence = np.moveaxis(keypoints, 2, 0)  # [N, 17] each
    stripe = np.floor(y * np.float32(stripes))
    inside = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    scores = np.zeros((len(keypoints), stripes), np.float32)
    for p in range(stripes):
        scores[:, p] = np.where(inside & (stripe == p), confidence, 0).max(axis=1)
    return scores


@torch.inference_mode()
def segmenter_visibility(
    segmenter: SORN, batches: Iterable[Batch], stripes: int, device: torch.device, precision: str
) -> np.ndarray:
    """Visibility scores of the stripes from an external segmenter: float32 [N, stripes].

    The scores are v_p of Eq. 11, computed from the part masks of the segmenter, in the order of the batches. `stripes`
    is P of the network that is evaluated. Raises ValueError for a segmenter without a semantic branch.
    """
    if segmenter.semantic is None:
        raise ValueError("a segmenter needs a semantic branch")
    segmenter.eval()
    scores = []
    for batch in batches:
        with autocast(device, precision):
            logits = segmenter(to_input(batch.image.to(device, non_blocking=True), segmenter.normalisation)).part_logits
        scores.append(visibility_scores(logits, stripes).cpu())
    return torch.cat(scores).numpy()
