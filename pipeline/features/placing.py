"""Pictures put where the parts in them belong, before features are extracted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from pipeline.datasets.synped.part_heights import PART_HEIGHTS
from pipeline.features.network import Inference
from sorn.batch import FULL_RANGE, Batch
from sorn.placement import find_place, placed

Sizes = Sequence[tuple[int, int] | None]
# Height and width of each image's file, None for those of the batch.


def usual_width(sizes: Sequence[tuple[int, int]]) -> float:
    """Median of width by height over a gallery.

    It mostly shows whole people. sizes: height and width of each picture.
    """
    return float(np.median([width / height for height, width in sizes])) if sizes else 0.0


def in_place(inference: Inference, batch: Batch, sizes: Sizes, usual: float = 0.0) -> Batch:
    """Batch with the pictures of cut people at their place.

    The others stay as they are. The network's part masks decide, in a pass of their own. usual: width by height of a
    whole person's picture, 0 for that of the batch.
    """
    _, parts = inference.explain(batch)
    height, width = batch.image.shape[1:3]
    padding = torch.tensor(inference.network.normalisation[0]) * FULL_RANGE
    image = batch.image.clone()
    for number, (mask, size) in enumerate(zip(parts, sizes, strict=True)):
        own_height, own_width = size or (height, width)
        own = own_width / own_height
        place = find_place(mask, PART_HEIGHTS, own / (usual or width / height))
        if place is not None:
            image[number] = placed(image[number], place, own * height / width, padding)
    return dataclasses.replace(batch, image=image)


def second_views(inference: Inference, batch: Batch, sizes: Sizes, usual: float = 0.0) -> tuple[np.ndarray, Batch]:
    """Pictures of cut people at their place.

    Returns which pictures of the batch they are, bool [B], and a batch of them alone. sizes, usual: as in `in_place`. A
    picture that stays as it is has no second view.
    """
    moved = in_place(inference, batch, sizes, usual)
    changed = (moved.image != batch.image).flatten(1).any(dim=1)
    return changed.numpy(), moved.of(changed)
