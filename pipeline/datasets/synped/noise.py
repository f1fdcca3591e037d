"""Pseudo-random fields for textures, bumps and foliage.

They are tables made once and then looked up. Reads and writes nothing. A lookup in a periodic table costs one gather
per point; noise from a hash at every ray hit would cost ten times as much as tracing the rays.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.datasets.synped.elementary import exp

SIZE = 512  # table side, a power of two so that `& (SIZE - 1)` wraps
CELLS = 16.0  # cells of the smooth table per bump


@lru_cache(maxsize=1)
def _fractal_table() -> np.ndarray:
    """Periodic 1/f noise, [SIZE, SIZE] float32, mean 0, standard deviation 1, cut at 3."""
    return _filtered(11, lambda radius: 1 / np.maximum(radius, 3.0) ** 2)[..., 0]


@lru_cache(maxsize=1)
def smooth_table() -> np.ndarray:
    """Periodic noise of one scale, 16 cells.

    [SIZE, SIZE, 3] float32, mean 0, standard deviation 1.
    """
    return _filtered(12, lambda radius: exp(-(((radius - 24.0) / 12.0) ** 2)), channels=3)


@lru_cache(maxsize=1)
def _white_table() -> np.ndarray:
    """[65536] float32 uniform in [0, 1)."""
    return np.random.default_rng(13).random(65536, dtype=np.float32)


def _filtered(seed: int, weight: object, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    frequency = np.fft.fftfreq(SIZE) * SIZE
    radius = np.hypot(frequency[:, None], frequency[None])
    gain = weight(radius)  # type: ignore[operator]
    gain[0, 0] = 0
    layers = []
    for _ in range(channels):
        spectrum = np.fft.fft2(rng.standard_normal((SIZE, SIZE))) * gain
        field = np.fft.ifft2(spectrum).real
        layers.append(np.clip(field / field.std(), -3, 3))
    return np.stack(layers, axis=-1).astype(np.float32)


def fractal(x: np.ndarray, y: np.ndarray, size: float, offset: float = 0.0) -> np.ndarray:
    """Cloudy noise at points (x, y), [n] float32.

    Mean 0, standard deviation 1. size: metres of its largest spots.
    """
    step = SIZE / (4 * size)
    column = (x * step + offset * 97.0).astype(np.int32) & (SIZE - 1)
    row = (y * step + offset * 57.0).astype(np.int32) & (SIZE - 1)
    values: np.ndarray = _fractal_table()[row, column]
    return values


def white(i: np.ndarray, j: np.ndarray, offset: int = 0) -> np.ndarray:
    """One uniform number in [0, 1) per integer cell (i, j): [n] float32."""
    mixed = i.astype(np.int64) * 73856093 ^ j.astype(np.int64) * 19349663 ^ (offset * 83492791)
    values: np.ndarray = _white_table()[(mixed ^ (mixed >> 16)) & 65535]
    return values
