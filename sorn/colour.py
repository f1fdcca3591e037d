"""Colour histograms of horizontal stripes, a baseline without training.

A network that ranks no better has learnt less than the colours of clothes. numpy only.
"""

from __future__ import annotations

import numpy as np

VARIANTS = ("colour", "colour, visible stripes")
# Names of the rankings: every stripe counts; only those that are visible in both images do, as in Eq. 15.

STRIPES = 6
HUES, SATURATIONS, VALUES = 8, 4, 4
BINS = HUES * SATURATIONS * VALUES

SPREAD = 1 / 6
# Standard deviation, in widths of the image, of the Gaussian that weighs columns: people stand in the middle, and the
# sides are three deviations away.

CHUNK = 1 << 18
# Pixels at a time: their intermediate arrays stay near the processor.


def stripes_for(parts: int) -> int:
    """Number of colour stripes for a network with P stripes.

    STRIPES, or the next multiple of P, so that each stripe of the network holds whole colour stripes.
    """
    return -(-STRIPES // parts) * parts if parts else STRIPES


def colour_histograms(images: np.ndarray, stripes: int = STRIPES) -> np.ndarray:
    """Colour histograms of the stripes: float32 [N, stripes, BINS] unit vectors.

    Images [N, H, W, 3] uint8 RGB. A vector holds the square roots of the shares of the colours. The dot product of two
    vectors is the Bhattacharyya coefficient: 1 for equal shares, 0 without a common colour. The stripes divide the
    height equally, as far as whole rows allow. Raises ValueError for fewer rows than stripes.
    """
    n, height, width = images.shape[:3]
    if stripes > height:
        raise ValueError(f"{stripes} stripes do not fit into {height} rows")
    histograms = np.empty((n, stripes, BINS), np.float32)
    step = max(1, CHUNK // (height * width))
    for first in range(0, n, step):
        histograms[first : first + step] = _histograms(images[first : first + step], stripes)
    return histograms


def colour_bins(images: np.ndarray) -> np.ndarray:
    """Bin number of each colour: uint8 RGB [..., 3] -> int16 [...].

    The number is (hue * SATURATIONS + saturation) * VALUES + value. Hue is divided into equal sectors from red through
    green and blue; saturation and value are divided into equal steps, as in HSV. Grey has no hue and no saturation:
    both are 0. The arithmetic is in integers, so that no border moves with rounding.
    """
    red, green, blue = (images[..., channel].astype(np.int16) for channel in range(3))
    most = np.maximum(np.maximum(red, green), blue)
    span = most - np.minimum(np.minimum(red, green), blue)
    divisor = np.maximum(span, 1)
    turn = np.where(  # hue in sixths of a circle, times the span; below 0 between magenta and red
        most == red,
        green - blue,
        np.where(most == green, 2 * span + blue - red, 4 * span + red - green),
    )
    hue = (HUES * turn) // (6 * divisor) % HUES
    saturation = np.minimum(SATURATIONS * span // np.maximum(most, 1), SATURATIONS - 1)
    bins: np.ndarray = (hue * SATURATIONS + saturation) * VALUES + VALUES * most // 256
    return bins


def _histograms(images: np.ndarray, stripes: int) -> np.ndarray:
    n, height, width = images.shape[:3]
    edges = np.round(np.arange(stripes + 1) * height / stripes).astype(np.int64)
    stripe = np.repeat(np.arange(stripes), np.diff(edges))  # [H]
    group = np.arange(n)[:, None] * stripes + stripe  # [N, H]
    place = group[:, :, None] * BINS + colour_bins(images)
    across = (np.arange(width) + 0.5) / width - 0.5
    weight = np.broadcast_to(np.exp(-0.5 * (across / SPREAD) ** 2), place.shape)
    counts = np.bincount(place.ravel(), weight.ravel(), n * stripes * BINS).reshape(n, stripes, BINS)
    histograms: np.ndarray = np.sqrt(counts / counts.sum(axis=2, keepdims=True)).astype(np.float32)
    return histograms
