"""People drawn with the ids of any shipped table, as label maps."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.shipped_tables import TABLES

SIZE = (64, 32)
# Rows, columns and possible labels of each region, as shares of height and width; the first label of the table counts.
REGIONS: tuple[tuple[tuple[float, float], tuple[float, float], tuple[str, ...]], ...] = (
    ((0.05, 0.10), (0.4, 0.6), ("hair", "head")),
    ((0.10, 0.18), (0.4, 0.6), ("face", "face and neck", "head")),
    ((0.18, 0.50), (0.3, 0.7), ("upper clothes", "upper clothing", "top", "T-shirt", "torso")),
    ((0.20, 0.36), (0.2, 0.3), ("right upper arm", "upper arms", "upper arm", "right arm", "arms")),
    ((0.20, 0.36), (0.7, 0.8), ("left upper arm", "upper arms", "upper arm", "left arm", "arms")),
    ((0.36, 0.46), (0.2, 0.3), ("right lower arm", "lower arms", "lower arm", "right arm", "arms")),
    ((0.36, 0.46), (0.7, 0.8), ("left lower arm", "lower arms", "lower arm", "left arm", "arms")),
    ((0.46, 0.50), (0.2, 0.3), ("right hand", "hands", "right arm", "lower arms", "lower arm")),
    ((0.46, 0.50), (0.7, 0.8), ("left hand", "hands", "left arm", "lower arms", "lower arm")),
    ((0.50, 0.72), (0.3, 0.7), ("pants", "lower clothing", "upper legs", "upper leg", "right upper leg")),
    ((0.72, 0.92), (0.3, 0.48), ("right lower leg", "right leg", "lower legs", "lower leg", "legs")),
    ((0.72, 0.92), (0.52, 0.7), ("left lower leg", "left leg", "lower legs", "lower leg", "legs")),
    ((0.92, 0.98), (0.3, 0.48), ("right shoe", "right foot", "foot", "feet", "lower legs")),
    ((0.92, 0.98), (0.52, 0.7), ("left shoe", "left foot", "foot", "feet", "lower legs")),
)


def drawn(table: str, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Label map of somebody who stands, int64 [h, w]. seed: of the person's place, a few pixels to any side."""
    names = [label for label, _ in TABLES[table]]
    height, width = size
    rng = np.random.default_rng(seed)
    down, right = rng.integers(-1, 2, 2)
    ids = np.zeros(size, np.int64)
    for rows, columns, labels in REGIONS:
        label = next(label for label in labels if label in names)
        first, last = (round(row * height) + int(down) for row in rows)
        ids[first:last, round(columns[0] * width) + right : round(columns[1] * width) + right] = names.index(label)
    return ids
