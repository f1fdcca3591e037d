"""A dataset of one image with silhouettes and joints of other tools beside it, for tests of the labeler `limbs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
from figures import SIZE, joints, parts
from PIL import Image

from pipeline.datasets.limb_regions import silhouette
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.labelers.base import Labeled, Source
from pipeline.labelers.limbs.division import divide
from pipeline.labelers.limbs.labeler import Limbs
from pipeline.runs.config import Runtime
from sorn.sample import Status

OUTLINE = parts() > 0
IMAGE = np.zeros((*SIZE, 3), np.uint8)
COCO = {"images": [{"id": 7, "file_name": "0001/a.jpg", "height": SIZE[0], "width": SIZE[1]}]}


class Shop:
    """A dataset of one image, a.jpg, and files of other tools beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.records = [self.add("0001/a.jpg")]

    def add(self, name: str) -> ImageRecord:
        path = self.root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGE).save(path)
        return ImageRecord(f"train/{name}", path, 1, 1, "train")

    def write(self, name: str, content: object) -> str:
        """A JSON, or an array as PNG or .npy; its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            np.save(path, content) if path.suffix == ".npy" else Image.fromarray(content).save(path)
        else:
            path.write_text(json.dumps(content))
        return str(path)

    def labeler(self, **options: object) -> Limbs:
        return Limbs(options, Source(cast(Manifest, None), self.root))

    def label(self, **options: object) -> Labeled:
        """The image's label; `joints` and `silhouettes` are there unless named."""
        given = {"joints": str(self.root / "joints.json"), "silhouettes": str(self.root / "masks")} | options
        labeler = self.labeler(**given)
        labeler.prepare(self.records, Runtime())
        found = labeler.label(self.records, [IMAGE] * len(self.records))[0]
        assert found.mask.dtype == np.uint8 and found.mask.shape == SIZE
        return found


def is_whole(found: Labeled) -> bool:
    """Whether the label is that of the whole figure."""
    same: bool = np.array_equal(found.mask, divide(silhouette(OUTLINE), joints(), 0.3))
    return same and found.status == Status.OK and found.people == 1


def square(top: int, bottom: int, left: int, right: int) -> list[float]:
    """A rectangle as a polygon of COCO."""
    return [left, top, right, top, right, bottom, left, bottom]
