"""Run-length masks of COCO annotations as arrays.

Opens no file. The runs of a mask are counted down its columns, beginning with zeros. `counts` is their list, or a text
that packs them: see `_unpack`. (The format of the COCO API, https://github.com/cocodataset/cocoapi; written from its
description.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_PIXELS = 2**24  # of one mask: 4096 x 4096, more than a camera's frame
DIGITS = 7  # of a packed number: 35 bits, more than any count has


def decode(rle: Mapping[str, Any]) -> np.ndarray:
    """Mask of {"size": [h, w], "counts": list or text}, bool [h, w].

    Raises ValueError for damaged data.
    """
    height, width = _size(rle.get("size"))
    counts = rle.get("counts")
    if isinstance(counts, str | bytes):
        runs = _unpack(counts.encode("ascii") if isinstance(counts, str) else counts)
    elif isinstance(counts, list) and all(type(count) is int and 0 <= count <= MAX_PIXELS for count in counts):
        runs = np.array(counts, np.int64)
    else:
        raise ValueError("counts are neither a text nor a list of numbers of pixels")
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"the runs do not fill the {height} x {width} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def encode(mask: np.ndarray) -> dict[str, list[int]]:
    """Mask bool [h, w] as {"size": [h, w], "counts": list}, which `decode` turns back."""
    pixels = mask.T.ravel()
    starts = np.flatnonzero(np.diff(pixels.astype(np.int8))) + 1
    runs = np.diff(np.concatenate([[0], starts, [pixels.size]]))
    first = [0] if pixels[0] else []
    return {"size": [int(side) for side in mask.shape], "counts": [*first, *(int(run) for run in runs)]}


def _size(size: object) -> tuple[int, int]:
    if isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size):
        height, width = size
        if height * width <= MAX_PIXELS:
            return height, width
    raise ValueError(f"size = {size!r} is not [height, width]")


def _unpack(text: bytes) -> np.ndarray:
    """Packed counts -> int64 [runs].

    Each character less 48 has 6 bits: 5 of a number, the lowest first, and one bit that is set if more follow; the last
    character's highest of the 5 is the sign. From the fourth on, a number is the difference to the run two before.
    """
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(digits & 32 == 0)
    if not len(digits) or digits.min() < 0 or digits.max() > 63 or not len(ends) or ends[-1] != len(digits) - 1:
        raise ValueError("counts are no packed numbers")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > DIGITS:
        raise ValueError("counts hold a number that is too long")
    place = np.arange(len(digits)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((digits & 31) << 5 * place, starts)
    numbers -= np.where(digits[ends] & 16, 1 << 5 * lengths, 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
