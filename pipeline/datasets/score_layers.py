"""Layers of scores, one per joint or connection, as part masks.

No files.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from pipeline.datasets.mask_sizes import SHAPE, shown
from pipeline.datasets.mask_values import ONE_ID, Misfit
from sorn.parts import BACKGROUND, CLASSES

THRESHOLD = 0.5  # BPBReID's mask_filtering_threshold (scripts/default_config.py of VlSomers/bpbreid)
LARGEST = 1.5  # of a confidence: resizing by cubic splines goes a little above 1


def parts_of_scores(
    values: np.ndarray, classes: np.ndarray, size: tuple[int, int], threshold: float = THRESHOLD, fit: str = SHAPE
) -> np.ndarray:
    """Part mask of an image from layers of scores, uint8 [h, w].

    values: [layers, h', w'] or [h', w', layers], confidences in [0, 1]. classes: part id of each layer, [layers]. size:
    (h, w) of the image. fit: as in `mask_sizes.shown`. The score of a part is the largest of its layers, resized to the
    image between pixels. A pixel shows the part of the largest score, or background where that is below `threshold`.
    Raises Misfit for other arrays.
    """
    layers = _layers(values, len(classes))
    parts = sorted(set(classes.tolist()) - {BACKGROUND})
    scores = [_resized(shown(layers[classes == part].max(axis=0), size, fit), size) for part in parts]
    best = np.stack(scores)
    found: np.ndarray = np.array(parts, np.uint8)[best.argmax(axis=0)]
    found[best.max(axis=0) < threshold] = BACKGROUND
    return found


def are_scores(values: np.ndarray, count: int) -> bool:
    """Whether an array has that many layers of confidences, first or last."""
    return _stack(values, count) is not None and values.dtype.kind == "f" and not np.array_equal(values, values.round())


def _layers(values: np.ndarray, count: int) -> np.ndarray:
    layers = _stack(values, count)
    if layers is None or layers.dtype.kind != "f":
        found = f"is no stack of {count} layers of scores but {values.dtype} of shape {values.shape}"
        raise Misfit(found, f"Choose the table of the tool that made it. Of {len(CLASSES)} classes: {ONE_ID}")
    wrong = layers[~(np.abs(layers) <= LARGEST)]
    if wrong.size:
        raise Misfit(f"holds the score {wrong[0]:g}, and a confidence lies from 0 to 1", "Save scores after a sigmoid.")
    return layers.astype(np.float32)


def _stack(values: np.ndarray, count: int) -> np.ndarray | None:
    """Layers first; None for an array without so many layers."""
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 3 or not values.size or count not in (values.shape[0], values.shape[2]):
        return None
    return values if values.shape[0] == count else np.moveaxis(values, 2, 0)


def _resized(score: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.asarray(Image.fromarray(np.ascontiguousarray(score)).resize((width, height), Image.Resampling.BILINEAR))
