"""The external segmenter, "+S" of Table III: the semantic branch of one network picks the stripes of another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from sorn.batch import Batch, to_input
from sorn.branches import visibility_scores
from sorn.engine import autocast
from sorn.network import SORN


@torch.inference_mode()
def visible_stripes(
    segmenter: SORN, batches: Iterable[Batch], stripes: int, device: torch.device, precision: str
) -> np.ndarray:
    """v_p of Eq.

    11, [N, stripes] float32 in the order of the batches. stripes: P of the other network.

    Raises ValueError for a segmenter without semantic branch.
    """
    if segmenter.semantic is None:
        raise ValueError("a segmenter needs a semantic branch")
    segmenter.eval()
    scores = []
    for batch in batches:
        with autocast(device, precision):
            logits = segmenter(to_input(batch.image.to(device, non_blocking=True))).part_logits
        scores.append(visibility_scores(logits, stripes).cpu())
    return torch.cat(scores).numpy()
