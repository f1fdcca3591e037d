"""Change of an image's label after the labeler."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np

from pipeline.io import hdf5
from sorn.sample import Status

FIELDS = ("found_status", "mended")  # uint8, only in shards with marked or mended images


@dataclass(frozen=True)
class Change:
    """Mark or mended mask of one image, as a shard records it.

    found: status that the labeler gave. mended: whether the mask is another one than the labeler's.
    """

    found: Status
    mended: bool = False


def read_changes(file: h5py.File, status: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Status that the labeler found, and whether the mask was mended, uint8 [N].

    status: of the images now. Raises ValueError for changes of other images.
    """
    if FIELDS[0] not in file:
        return status, np.zeros_like(status)
    found, mended = (hdf5.dataset(file, field)[:] for field in FIELDS)
    if len(found) != len(status) or len(mended) != len(status) or not np.isin(found, list(Status)).all():
        raise ValueError("its changes are not those of its images")
    return found, mended


def write_changes(file: h5py.File, changes: list[Change], status: list[int]) -> None:
    """Writing of the changes of a shard, if there are any.

    status: of the images now.
    """
    found, mended = [int(change.found) for change in changes], [change.mended for change in changes]
    if any(mended) or found != status:
        for field, values in zip(FIELDS, (found, mended), strict=True):
            file.create_dataset(field, data=np.array(values, np.uint8), track_times=False)
