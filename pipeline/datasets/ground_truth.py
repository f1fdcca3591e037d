"""Exact masks of a dataset's images, where they lie beside them.

Reads the masks the manifest's `masks` points at.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.datasets.manifest import Manifest, mask_path
from pipeline.datasets.mask_files import exact_mask
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.io.images import resize_mask


class ExactMasks:
    """Rendered or drawn by hand, never by a labeler: what labels and predicted parts are held against.

    root: the dataset's folder. rows: of records.csv. Nothing is read before a mask is asked for.
    """

    def __init__(self, manifest: Manifest, root: Path, rows: Iterable[tuple[ImageRecord, ImageFile]]) -> None:
        self.manifest, self.root = manifest, root
        self._rows = {record.name: (record, file) for record, file in rows}

    def path(self, name: str) -> Path | None:
        """The mask file of the image of that name; None for one without, or not in the records."""
        if name not in self._rows:
            return None
        path = mask_path(self.manifest, self.root, self._rows[name][0])
        return path if path.is_file() else None

    def read(self, name: str, size: tuple[int, int]) -> np.ndarray | None:
        """Class ids [H, W] uint8 at the shards' size, resized as `ground_truth` stores them; None where there is none.

        Raises UserError for a mask that is broken, of another shape than its image, or with ids of no class.
        """
        path = self.path(name)
        if path is None:
            return None
        file = self._rows[name][1]
        return resize_mask(exact_mask(path, (file.height, file.width)), size)
