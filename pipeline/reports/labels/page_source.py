"""Images of the labels page and their sets of masks.

Reads shards and ground truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.errors import UserError
from pipeline.evaluation.label_statistics import StoredLabels
from pipeline.io.images import resize_mask
from pipeline.reports.labels.compare import common_images, label_name
from pipeline.reports.sheets import IMAGE
from pipeline.runs.run import UNKNOWN_FILE, Run

GROUND_TRUTH = "ground truth"


@dataclass(frozen=True)
class MaskLayer:
    """One set of masks of the page's images.

    key: of its files. title: as shown. mask: number of an image -> class ids [H, W] uint8 at the size of the shards,
    None without a mask. status: uint8 [N], None for ground truth.
    """

    key: str
    title: str
    mask: Callable[[int], np.ndarray | None]
    status: np.ndarray | None


@dataclass(frozen=True)
class LabelsSource:
    """Images of a page with their sets of masks.

    names: of the runs. labels: of the first run. rows: positions of the N images in it, int64 [N]. left_out: number of
    images that only one of two runs has.
    """

    names: list[str]
    labels: StoredLabels
    rows: np.ndarray
    layers: list[MaskLayer]
    left_out: int

    def __len__(self) -> int:
        return len(self.rows)

    @staticmethod
    def of(run: Run, indices: Sequence[Path]) -> LabelsSource:
        """Images of the splits that have labels.

        Of two runs, the images in both. run: of the first index. Raises UserError where no image has a label, and for
        two runs of other images.
        """
        opened, names = [StoredLabels(index) for index in indices], [label_name(index) for index in indices]
        first = opened[0]
        pairs = common_images(first, opened[1], names) if len(opened) > 1 else np.arange(len(first))[:, None]
        splits = np.unique(first.split[first.seen])
        chosen = pairs[np.isin(first.split, splits)[pairs[:, 0]]]
        if len(chosen) == 0:
            wrong = f"no image of '{names[0]}' has a label"
            raise UserError(wrong, "Label them, e.g. with: make masks LABELER=torchvision_rcnn")
        labelers = [labels.index.labeler.name for labels in opened]
        titles = labelers if len(set(labelers)) == len(labelers) else names
        size = first.index.image_size
        layers = [_of_run(*made, size) for made in zip("ab", titles, opened, chosen.T, strict=False)]
        exact = [] if "ground_truth" in labelers else _of_ground_truth(run, list(first.names.at(chosen[:, 0])), size)
        alone = sum(int(np.isin(labels.split, splits).sum()) - len(chosen) for labels in opened)
        return LabelsSource(names, first, chosen[:, 0], [*layers, *exact], alone)

    @property
    def runs(self) -> list[MaskLayer]:
        """The layers that a labeler made."""
        return [layer for layer in self.layers if layer.status is not None]

    @property
    def keys(self) -> list[str]:
        """Keys of all sheets."""
        return [IMAGE, *(layer.key for layer in self.layers)]

    def image(self, number: int) -> np.ndarray:
        """Photograph [H, W, 3] uint8."""
        return self.labels.sample(int(self.rows[number])).image

    def thumbnail(self, height: int) -> tuple[int, int]:
        """Height and width of a thumbnail, at most the stored images'."""
        full, width = self.labels.index.image_size
        return min(height, full), max(1, round(min(height, full) * width / full))


def _of_run(key: str, title: str, labels: StoredLabels, rows: np.ndarray, size: tuple[int, int]) -> MaskLayer:
    seen = labels.seen[rows]

    def mask(number: int) -> np.ndarray | None:
        return resize_mask(labels.mask(int(rows[number])), size) if seen[number] else None

    return MaskLayer(key, title, mask, labels.status[rows])


def _of_ground_truth(run: Run, names: Sequence[str], size: tuple[int, int]) -> list[MaskLayer]:
    """Ground truth; none where the dataset's file is unknown now, and where no image has any."""
    if run.paths.dataset.startswith(UNKNOWN_FILE):
        return []
    exact = ExactMasks(run.manifest, run.root, run.records)
    if not any(exact.path(name) for name in names):
        return []
    return [MaskLayer("exact", GROUND_TRUTH, lambda number: exact.read(names[number], size), None)]
