"""Types and axes of the datasets of a feature bank in HDF5."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from pipeline.features.bank_values import ROWS
from pipeline.io import hdf5

LAYOUT = {  # in the file: type, number of axes
    "global": ("float32", 2),
    "local": ("float32", 3),
    "visibility": ("float32", 2),
    "pid": ("int64", 1),
    "camid": ("int64", 1),
    "name": ("text", 1),
    "state": ("text", 1),
    "sha256": ("text", 1),
    "pose": ("float32", 2),
    "segmenter": ("float32", 2),
    "part_features": ("float32", 3),
    "part_shares": ("float32", 2),
    "maps": ("float16", 4),
    "parts": ("uint8", 3),
}


def require_layout(path: Path, group: h5py.Group, keys: Iterable[str]) -> None:
    """Check of type, number of axes and size of datasets.

    For use before memory is reserved for them. Raises ValueError for a wrong type or number of axes, and for datasets
    larger than their whole file.
    """
    room = path.stat().st_size
    for key in keys:
        dataset = hdf5.dataset(group, key)
        kind, shape = dataset.dtype, dataset.shape
        stored, (expected, axes) = "text" if kind.kind == "S" else str(kind), LAYOUT[key]
        if stored != expected or len(shape) != axes:
            raise ValueError(f"{group.name}/{key} is {stored} {list(shape)}, expected {expected} with {axes} axes")
        room -= math.prod(shape) * kind.itemsize
    if room < 0:
        raise ValueError(f"{group.name} claims {-room:,} bytes more than the file has")


def read_names(group: h5py.Group) -> np.ndarray:
    """Names of the images, [N] str."""
    stored = group["name"][:]
    pieces = [np.char.decode(stored[first : first + ROWS], "utf-8") for first in range(0, len(stored), ROWS)]
    return np.concatenate(pieces) if pieces else stored.astype(str)
