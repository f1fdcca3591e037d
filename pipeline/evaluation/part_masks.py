"""Predicted part masks against ground truth or labels. No files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.evaluation.report import PartScores
from pipeline.features.store import Examples
from sorn import metrics
from sorn.batch import reduce_masks
from sorn.parts import LABELLINGS
from sorn.sample import Sample, Status

EXACT = "exact masks"
LABELLED = (Status.OK, Status.LOW_RESOLUTION, Status.SEVERAL_PEOPLE)


@dataclass(frozen=True)
class PartReference:
    """Reference masks for predicted parts.

    The ground truth of an image that has it, else its label. sample_of: image name -> Sample. labeler: who made the
    labels. labels: K of the network.
    """

    sample_of: Callable[[str], Sample]
    exact: ExactMasks
    labeler: str
    labels: int

    def find(self, name: str, size: tuple[int, int]) -> tuple[str, np.ndarray] | None:
        """Kind of the reference and its class ids uint8 [h', w'].

        size: of the network's masks. None for an image with neither ground truth nor label.
        """
        sample = self.sample_of(name)
        mask, kind = self.exact.read(name, sample.mask.shape), EXACT
        if mask is None:
            if sample.status not in LABELLED:
                return None
            mask, kind = sample.mask, f"the labels of {self.labeler}"
        reduced = reduce_masks(torch.from_numpy(np.array(mask))[None], size, self.labels, "majority")
        return kind, reduced[0].numpy().astype(np.uint8)


def part_scores(examples: Examples, reference: PartReference, names: Iterable[str]) -> PartScores | None:
    """Predicted parts of the explained queries among `names` against their references.

    None where no query has a reference.
    """
    labels = reference.labels
    chosen, counts, against = set(names), np.zeros((labels, labels), np.int64), Counter[str]()
    for name, parts in zip(examples.name, examples.parts, strict=True):
        if str(name) not in chosen or parts.size == 0:
            continue
        found = reference.find(str(name), parts.shape)
        if found is not None:
            kind, label = found
            counts += metrics.confusion(parts, label, labels)
            against[kind] += 1
    if not against:
        return None
    iou = [None if np.isnan(value) else float(value) for value in metrics.class_iou(counts)]
    by_class = dict(zip(LABELLINGS[labels], iou, strict=True))
    return PartScores(
        against.total(), dict(against), metrics.mean_iou(counts), metrics.pixel_accuracy(counts), by_class
    )
