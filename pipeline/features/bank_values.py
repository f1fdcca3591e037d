"""Values of a feature bank: its arrays, and which values are allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from sorn.features import FeatureBank

BANK_FIELDS = {"global": "global_", "local": "local", "visibility": "visibility", "pid": "pid", "camid": "camid"}
FEATURES = ("global", "local", "part_features")  # the large arrays of a bank
OPTIONAL = ("pose", "segmenter", "part_features", "part_shares")  # scores of other sources; what a part branch gives
SHARES = ("visibility", "pose", "segmenter", "part_shares")  # in [0, 1]
ROWS = 4096  # images that are checked at a time, so that no array is copied whole


def bank_arrays(bank: FeatureBank) -> dict[str, np.ndarray]:
    """Arrays of a bank: name in the file -> array."""
    optional = {key: getattr(bank, key) for key in OPTIONAL if getattr(bank, key) is not None}
    return {**{key: getattr(bank, field) for key, field in BANK_FIELDS.items()}, **optional, "name": bank.name}


def zero_images(bank: FeatureBank) -> np.ndarray:
    """Images whose features are all zero, bool [N].

    They have no similarity to any image, and a report should name them.
    """
    zero, found = np.ones(len(bank), bool), bank.features
    for first in range(0, len(bank), ROWS):
        rows = slice(first, first + ROWS)
        zero[rows] = ~(found.global_[rows].any(axis=1) | found.local[rows].any(axis=(1, 2)))
        zero[rows] &= ~found.part_features[rows].any(axis=(1, 2))
        bank.forget()
    return zero


def require_good(path: Path, side: str, bank: FeatureBank, remedy: str) -> None:
    """Check of the values of a bank.

    Raises UserError for a bank without images, for values that are not finite, for visibility scores outside [0, 1],
    and for features that are all zero.
    """
    if not len(bank):
        raise UserError(f"{path}: {side} holds no images", "Extract features of at least one image.")
    arrays = bank_arrays(bank)
    for key in (*FEATURES, *SHARES):
        if key not in arrays:
            continue
        array = arrays[key]
        bad, outside = np.zeros(len(bank), bool), False
        for first in range(0, len(bank), ROWS):
            rows = array[first : first + ROWS]
            bad[first : first + ROWS] = ~np.isfinite(rows).all(axis=tuple(range(1, array.ndim)))
            outside |= key in SHARES and bool(((rows < 0) | (rows > 1)).any())
        if bad.any():
            name = bank.name[bad.argmax()]
            raise UserError(f"{path}: {side}/{key} is not finite for {bad.sum()} images, first {name}", remedy)
        if outside:
            raise UserError(f"{path}: {side}/{key} has values outside [0, 1]", remedy)
    if (bank.global_.size or bank.local.size) and zero_images(bank).all():
        raise UserError(f"{path}: the features of all {len(bank)} images of {side} are zero and match nothing", remedy)
