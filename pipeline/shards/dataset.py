"""Torch dataset over the shards of one split.

    data = ShardDataset(paths.shard_index, "train")
    batch = data.__getitems__([5, 3, 8])

Reads index.json and shards, as whole batches of images, masks and labels. Threads may read at once, as
pipeline.shards.loader does. The files are opened at their first read (see ShardReader), so the workers of torch's
DataLoader may be forked or spawned at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.errors import UserError
from pipeline.shards.format import REMEDY
from pipeline.shards.index import open_shards
from sorn.batch import Batch
from sorn.sample import Sample, Status

UNKNOWN = (Status.EMPTY, Status.UNLABELED, Status.LEFT_OUT)  # the body parts of such an image are unknown


class ShardDataset(Dataset[Sample]):
    """Readable images of one split, in the order of their names.

    pid, camid: [n] int64. name: [n] str. status: [n] uint8. keypoints: [n, 17, 3] float32, as in a Sample. label: [n]
    int64, position of the pid in the sorted training pids (`index.pids`), -1 for an identity outside training.
    unreadable: names of the images left out, because they could not be decoded when the shards were made. Raises
    UserError as `open_shards` does, and for a split that has no readable image.

    labelled: [n] bool, whether the mask is a label. A mask without any body part (Status.EMPTY) is no label: it would
    teach that a person is background. The convention of PGFA, that everything is visible, would also be a guess. Such
    an image trains the identity losses alone, and so does one that was marked (Status.LEFT_OUT).
    """

    def __init__(self, index_path: Path, split: str) -> None:
        self.split = split
        self.index, self._readers = open_shards(index_path, split)
        self.image_size = self.index.image_size
        readable = [reader.status != Status.UNREADABLE for reader in self._readers]
        if not any(keep.any() for keep in readable):
            raise UserError(f"{index_path} holds no readable image of split '{split}'", REMEDY)
        self._shard = np.concatenate([np.full(keep.sum(), i) for i, keep in enumerate(readable)])  # [n]
        self._row = np.concatenate([np.flatnonzero(keep) for keep in readable])  # [n], inside its shard
        self.pid, self.camid, self.status, self.name, self.keypoints = (
            np.concatenate([getattr(reader, field)[keep] for reader, keep in zip(self._readers, readable, strict=True)])
            for field in ("pid", "camid", "status", "name", "keypoints")
        )
        for reader in self._readers:  # a file is opened again when its first image is read
            reader.close()
        left_out = zip(self._readers, readable, strict=True)
        self.unreadable = [name for reader, keep in left_out for name in reader.names.at(np.flatnonzero(~keep))]
        pids = np.array(self.index.pids, np.int64)
        position = np.searchsorted(pids, self.pid)
        known = np.isin(self.pid, pids)
        self.label = np.where(known, position, -1)
        self.labelled = ~np.isin(self.status, UNKNOWN)

    @property
    def identities(self) -> int:
        """Number of training pids, J."""
        return len(self.index.pids)

    def require_labels(self) -> None:
        """Check that the images have part labels, as the semantic branch needs.

        Raises UserError where labels are missing.
        """
        missing = int((self.status == Status.UNLABELED).sum())
        if missing:
            labeler = self.index.labeler.name
            raise UserError(
                f"{missing} of {len(self)} images of split '{self.split}' have no part labels (labeler {labeler})",
                f"Choose another labeler and name '{self.split}' in masks.splits, or set model.semantic_branch=false.",
            )
        if not self.labelled.any():
            raise UserError(
                f"labeler {self.index.labeler.name} found no body part in any of the {len(self)} images of split "
                f"'{self.split}'",
                "Look at labels.md beside the shards, and choose other weights or another labeler.",
            )

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = self._readers[self._shard[index]].sample(int(self._row[index]))
        return sample

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Images at these positions as one Batch.

        torch's DataLoader also calls it once per batch.
        """
        return self.read(np.asarray(indices, np.int64), *self.empty(len(indices)))

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shapes of one image and of one mask, both uint8."""
        return (*self.image_size, 3), self.image_size

    def empty(self, count: int, pin: bool = False) -> tuple[Tensor, Tensor]:
        """Memory for `count` images and their masks, for `read`.

        pin: page-locked, for copies to a GPU.
        """
        image, mask = (torch.empty((count, *shape), dtype=torch.uint8, pin_memory=pin) for shape in self.shapes)
        return image, mask

    def read(self, chosen: np.ndarray, image: Tensor, mask: Tensor) -> Batch:
        """Images and masks at these positions, int64 [B], read into given arrays.

        image: [B, H, W, 3]. mask: [B, H, W]. Both uint8. One plain read per image and per mask. Raises UserError for a
        shard that cannot be read any more.
        """
        shards, rows = self._shard[chosen].tolist(), self._row[chosen].tolist()
        area = self.image_size[0] * self.image_size[1]
        pixels, parts = (tensor.numpy().reshape(-1).data for tensor in (image, mask))
        for i, (shard, row) in enumerate(zip(shards, rows, strict=True)):
            at, end = i * area, (i + 1) * area
            self._readers[shard].read_into(row, pixels[3 * at : 3 * end], parts[at:end])
        small = (self.label[chosen], chosen, self.labelled[chosen])
        return Batch(image, mask, *(torch.from_numpy(array) for array in small))
