"""Values of a silhouette file as outlines of people. No files."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.mask_values import Misfit

FULL = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.int32): 65535}  # of soft edges in a PNG
MOST = 64  # outlines in one file; SAM finds a few of a crop
COLOURS = (3, 4)  # channels of a picture
REMEDY = "Give one outline per image: true and false, 0 and 255, or a cut-out with its transparency."
TABLE = "table=lip20"


def outlines(values: np.ndarray) -> np.ndarray:
    """Outlines of the people in a silhouette file, bool [n, h, w].

    values: [h, w] of truths, of 0 and one other value, of soft edges up to 255 or of probabilities; a picture [h, w, 4]
    whose last channel is its transparency, or [h, w, 3] of equal channels; or a stack [n, h, w] of several outlines of
    which one is the person's. Raises Misfit for anything else: a picture in colours, class ids, scores.
    """
    while values.ndim > 3 and 1 in values.shape[:2]:
        values = values[0] if values.shape[0] == 1 else values[:, 0]
    if values.ndim == 3 and values.shape[2] in COLOURS and values.dtype != bool:
        values = _channel(values)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    layers = values[None] if values.ndim == 2 else values
    if layers.ndim != 3 or not layers.size or layers.dtype.kind not in "uibf" or len(layers) > MOST:
        raise Misfit(f"is no silhouette but {values.dtype} of shape {values.shape}", REMEDY)
    return _inside(layers)


def _channel(values: np.ndarray) -> np.ndarray:
    """The channel of a picture that holds its outline."""
    if values.shape[2] == 4:
        return values[..., 3]
    if not (values == values[..., :1]).all():
        raise Misfit("is a picture in colours without a transparency, not a silhouette", REMEDY)
    return values[..., 0]


def _inside(layers: np.ndarray) -> np.ndarray:
    """Whether each pixel lies inside, bool of the same shape."""
    if layers.dtype.kind == "f":
        if not np.isfinite(layers).all() or layers.min() < 0 or layers.max() > 1:
            raise Misfit(
                f"holds scores from {layers.min():g} to {layers.max():g}, not probabilities",
                "Save the mask itself, e.g. the scores above 0.",
            )
        return np.asarray(layers >= 0.5)
    found = np.unique(layers)
    if len(found) <= 2 and found[0] == 0:
        return np.asarray(layers != 0)
    if len(found) == 1:
        return np.ones(layers.shape, bool)
    full = FULL.get(layers.dtype, 0)
    if full and found[-1] >= 0.9 * full and found[0] >= 0:
        return np.asarray(layers > full // 2)
    raise Misfit(
        f"holds {len(found)} values up to {found[-1]}: class ids, or a picture",
        REMEDY,
        TABLE,
        "If they are class ids, name their table",
    )
