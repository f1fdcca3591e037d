"""Visible stripes of the ground truth: an upper bound for labels.

Only where the dataset has ground truth of every image, as SynPed has. Nothing is kept: a mask takes a millisecond.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.evaluation.mask_metrics import BATCH, Stripes, stripe_agreement
from pipeline.evaluation.report import SideStripes
from pipeline.runtime.progress import Progress
from sorn.features import FeatureBank

VARIANT = "sorn, exact masks"
# Name of the ranking: Eq. 15 with the features of the network and the stripes that are visible in the ground truth.


def exact_banks(
    query: FeatureBank, gallery: FeatureBank, exact: ExactMasks, stripes: Stripes, size: tuple[int, int]
) -> tuple[FeatureBank, FeatureBank] | None:
    """The same banks, also with the scores of the ground truth.

    None where an image has no ground truth, or the network no stripes. size: of the images [H, W]. Raises UserError for
    a mask that cannot be one of its image.
    """
    names = [str(name) for bank in (query, gallery) for name in bank.name]
    if not stripes.count or not all(exact.path(name) for name in names):
        return None
    scores = np.empty((len(names), stripes.count), np.float32)
    with Progress(len(names), "ground truth") as progress:
        for first in range(0, len(names), BATCH):
            read = [exact.read(name, size) for name in names[first : first + BATCH]]
            masks = np.stack([mask for mask in read if mask is not None])
            scores[first : first + BATCH] = stripes.scores(masks)
            progress.advance(len(masks))
    parts = np.split(scores, [len(query)])
    asked, ranked = (dataclasses.replace(bank, exact=part) for bank, part in zip((query, gallery), parts, strict=True))
    return asked, ranked


def decisions(bank: FeatureBank, stripes: Stripes) -> SideStripes:
    """Visible stripes of `exact_banks` against those of the ground truth."""
    assert bank.exact is not None, "the bank comes from exact_banks"
    true, said = (stripes.indicators(scores) for scores in (bank.exact, bank.visibility))
    return SideStripes(len(bank), stripe_agreement(true, said, stripes))
