"""Ground-truth masks of a dataset, stored beside its images.

Reads the masks that the manifest's key `masks` points at.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.datasets.label_maps import exact_mask
from pipeline.datasets.manifest import Manifest, mask_path
from pipeline.datasets.records import ImageFile, ImageRecord, twins
from pipeline.errors import UserError
from pipeline.io.images import resize_mask


def require_own(records: list[ImageRecord], masks: list[Path]) -> None:
    """Raise UserError for a mask that two images would share."""
    users: dict[Path, ImageRecord] = {}
    for record, mask in zip(records, masks, strict=True):
        other = users.setdefault(mask, record)
        if other != record:
            own = " and ".join(f"{PurePosixPath(one.name).name}{mask.suffix}" for one in (other, record))
            wrong = f"{other.path} and {record.path} have one mask, {mask}: their names differ in the suffix alone"
            raise UserError(wrong, f"Give each its own, beside it: {own}.")


class ExactMasks:
    """Ground-truth masks, used to score labels and predictions.

    They are rendered or drawn by hand, never made by a labeler. root: the dataset's folder. rows: of records.csv. No
    mask is read before it is asked for.
    """

    def __init__(self, manifest: Manifest, root: Path, rows: Iterable[tuple[ImageRecord, ImageFile]]) -> None:
        self.manifest, self.root = manifest, root
        self._rows = {record.name: (record, file) for record, file in rows}
        self._twins = twins(record for record, _ in self._rows.values())

    def path(self, name: str) -> Path | None:
        """Mask file of an image, by the image's name.

        None for an image without a mask or with one that may be another image's, and for a name that is not in the
        records.
        """
        if name not in self._rows:
            return None
        path = mask_path(self.manifest, self.root, self._rows[name][0])
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
        file = self._rows[name][1]
        return resize_mask(exact_mask(path, (file.height, file.width)), size)
