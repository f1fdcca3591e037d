"""Labeler `ground_truth`: masks beside a dataset's images, in the eight classes.

Reads index PNGs or .npy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.ground_truth import require_own
from pipeline.datasets.label_maps import exact_mask
from pipeline.datasets.manifest import mask_path
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.texts import Texts
from pipeline.labelers.base import Labeled, Source, describe, labeled, read_options
from pipeline.runs.config import Runtime


@dataclass(frozen=True)
class GroundTruthOptions:
    pattern: str = ""
    # Where the mask of an image lies under the dataset's folder, with {split} and {path}; "" is the manifest's `masks`.

    def __post_init__(self) -> None:
        try:
            self.pattern.format(split="", path="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"pattern = '{self.pattern}': only {{split}} and {{path}} can be filled in") from error


class GroundTruth:
    """Labeler with one mask per image, of the image's own shape.

    The mask has ids of `sorn.parts`.
    """

    name = "ground_truth"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(GroundTruthOptions, self.name, options)
        pattern = self.options.pattern or source.manifest.masks
        self.manifest = dataclasses.replace(source.manifest, masks=pattern)
        self.root = source.root

    def describe(self) -> Mapping[str, object]:
        return describe(self.name, self.version, GroundTruthOptions(self.manifest.masks))

    def path(self, record: ImageRecord) -> Path:
        return mask_path(self.manifest, self.root, record)

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        paths = map(self.path, records)
        return {"mask files": files_digest(self.root, (path for path in paths if path.is_file()))}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        missing = [path for path in map(self.path, records) if not path.is_file()]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(records)} images of {self.manifest.name} have no mask, first {missing[0]}",
                "Put the masks there, say where they are (--set masks.options.pattern=...), or choose another labeler.",
            )
        require_own(records, Texts(str(self.path(record)) for record in records))

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        return [
            labeled(exact_mask(self.path(record), image.shape[:2]))
            for record, image in zip(records, images, strict=True)
        ]
