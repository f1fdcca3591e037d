"""Ground-truth masks of a dataset, stored beside its images.

Reads the masks that the manifest's key `masks` points at.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.datasets.label_maps import exact_mask
from pipeline.datasets.manifest import Manifest, mask_path
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import ImageRecord
from pipeline.datasets.records_file import twins
from pipeline.errors import UserError
from pipeline.io.images import resize_mask
from pipeline.io.texts import first_equal


def require_own(records: Sequence[ImageRecord], masks: Sequence[str]) -> None:
    """Raise UserError for a mask that two images would share.

    masks: path of the mask of each image.
    """
    first = first_equal(masks)
    for number in np.flatnonzero(first != np.arange(len(masks))).tolist():
        other, record, mask = records[int(first[number])], records[number], Path(masks[number])
        if other != record:
            own = " and ".join(f"{PurePosixPath(one.name).name}{mask.suffix}" for one in (other, record))
            wrong = f"{other.path} and {record.path} have one mask, {mask}: their names differ in the suffix alone"
            raise UserError(wrong, f"Give each its own, beside it: {own}.")


class ExactMasks:
    """Ground-truth masks, used to score labels and predictions.

    They are rendered or drawn by hand, never made by a labeler. root: the dataset's folder. records: with their files.
    No mask is read before it is asked for.
    """

    def __init__(self, manifest: Manifest, root: Path, records: RecordTable) -> None:
        self.manifest, self.root, self._records = manifest, root, records.by_name()
        self._twins = twins(records.names)

    def path(self, name: str) -> Path | None:
        """Mask file of an image, by the image's name.

        None for an image without a mask or with one that may be another image's, and for a name that is not in the
        records.
        """
        row = self._records.find(name)
        if row is None:
            return None
        path = mask_path(self.manifest, self.root, self._records[row])
        return path if path.is_file() and (name not in self._twins or self._is_whole(path, name)) else None

    def _is_whole(self, mask: Path, name: str) -> bool:
        """Whether a mask has the whole name of its image."""
        split, _, path = name.partition("/")
        return mask == self.root / self.manifest.masks.format(split=split, path=path)

    def read(self, name: str, size: tuple[int, int]) -> np.ndarray | None:
        """Ground-truth mask of an image, class ids uint8 [H, W] at shard size.

        It is resized as the labeler `ground_truth` resizes it. None where there is no mask. Raises UserError for a mask
        that is damaged, has another shape than its image, or holds an unknown id.
        """
        path = self.path(name)
        if path is None:
            return None
        row = self._records.find(name)
        assert row is not None, name
        file = self._records.file(row)
        return resize_mask(exact_mask(path, (file.height, file.width)), size)
