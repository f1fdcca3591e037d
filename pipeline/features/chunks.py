"""Resumable extraction: features in chunks of 512 images.

Reads and writes eval/parts/*.h5. A chunk is a feature bank of at most CHUNK_IMAGES images, in the order of the split. A
finished chunk is kept if it has the current fingerprint and matches its own digest. All other chunks are extracted
again. Of n processes of torchrun each takes every n-th chunk. The borders of chunks and batches depend on the split
only. So the features depend neither on interruptions nor on the number of processes.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.features.network import Inference
from pipeline.features.store import BankRows, read_bank, write_bank
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed
from pipeline.runtime.progress import Progress
from pipeline.shards.dataset import ShardDataset
from sorn.features import FeatureBank, Views
from sorn.visibility import keypoint_visibility

logger = logging.getLogger(__name__)

CHUNK_IMAGES = 512  # half a minute of ResNet-50 on a desktop's CPU, some 20 MB

Look = Callable[[ShardDataset, np.ndarray], Views]  # of a split and positions int64 [B]


@dataclass(frozen=True)
class Chunk:
    """Some images of a split, and the file of their features.

    path: file of the bank, existing or not. positions: of the images in the split, int64 [n].
    """

    path: Path
    data: ShardDataset
    positions: np.ndarray
    fingerprint: str

    def batches(self, size: int) -> list[np.ndarray]:
        return [self.positions[first : first + size] for first in range(0, len(self.positions), size)]

    def write(self, outputs: Views) -> None:
        """Write the bank of the chunk.

        Raises UserError for a full disk and for a feature that is not finite.
        """
        data, rows = self.data, self.positions
        pose = (
            None if data.index.pose is None else keypoint_visibility(data.keypoints[rows], outputs.first.local.shape[1])
        )
        bank = FeatureBank.of(outputs.first, data.pid[rows], data.camid[rows], data.name[rows], pose)
        bank = bank.with_second(np.flatnonzero(outputs.moved), outputs.second)
        write_bank(self.path, bank, {"fingerprint": self.fingerprint, "sha256": _digest(bank)})

    def read(self) -> FeatureBank:
        """Bank of the chunk.

        Raises UserError for a file that is missing, damaged or of other images.
        """
        bank, attrs = read_bank(self.path)
        whole = attrs == {"fingerprint": self.fingerprint, "sha256": _digest(bank)}
        if not whole or not np.array_equal(bank.name, self.data.name[self.positions]):
            raise UserError(f"{self.path} is damaged", "Run the same command again: it extracts this chunk again.")
        return bank

    def finished(self) -> bool:
        if not self.path.is_file():
            return False
        try:
            self.read()
        except UserError as error:
            logger.warning(f"eval: {error.wrong}; extracting this chunk again")
            return False
        return True


class Chunks:
    """All chunks of some splits.

    fingerprint: of everything that the features depend on. label: of the progress bar.
    """

    def __init__(self, paths: Paths, fingerprint: str, splits: Sequence[ShardDataset], label: str) -> None:
        self.folder, self.label = paths.feature_chunks, label
        self.chunks = [
            Chunk(paths.feature_chunk(fingerprint, data.split, number), data, positions, fingerprint)
            for data in splits
            for number, positions in enumerate(_cut(len(data)))
        ]

    def make(self, inference: Inference, look: Look, size: int) -> None:
        """Extract the missing chunks, shared by all processes.

        Returns after all processes have finished. size: images per batch. Raises UserError for features that are not
        finite and for a full disk.
        """
        own = self.chunks[distributed.here().number :: distributed.here().world]
        missing = [chunk for chunk in own if not chunk.finished()]
        if len(missing) < len(own):
            finished = f"{len(own) - len(missing)} of {len(own)} chunks"
            distributed.say(f"eval: {finished} of {self.label} are finished already")
        total, left = (sum(len(chunk.positions) for chunk in chunks) for chunks in (own, missing))
        batches = [(chunk.data, positions) for chunk in missing for positions in chunk.batches(size)]
        with (
            Progress(total, self.label, done=total - left, quiet=distributed.here().number > 0) as shown,
            closing(inference.run(look, batches)) as outputs,
        ):
            for chunk in missing:
                pieces = []
                for piece in islice(outputs, len(chunk.batches(size))):
                    pieces.append(piece)
                    shown.advance(len(piece.moved))
                chunk.write(Views.joined(pieces))
        distributed.meet()
        lost = [chunk.path for chunk in self.chunks if not chunk.path.is_file()]
        if lost:
            wrong = f"another process has written {lost[0]}, but this process cannot see it"
            raise UserError(wrong, "All machines must see the same folder of runs: choose one with RUNS=.")
        distributed.meet()  # process 0 may remove the files now: every process has checked them

    @property
    def bytes(self) -> int:
        """Size of all chunks on the disk, in bytes."""
        return sum(chunk.path.stat().st_size for chunk in self.chunks if chunk.path.is_file())

    def rows(self, data: ShardDataset) -> BankRows:
        """Bank of one split, read chunk by chunk."""
        return BankRows(len(data), self._read(data))

    def _read(self, data: ShardDataset) -> Iterator[FeatureBank]:
        return (chunk.read() for chunk in self.chunks if chunk.data is data)

    def remove(self) -> None:
        """Remove all chunks, those with other fingerprints too.

        No other program works in the folder at the same time.
        """
        shutil.rmtree(self.folder, ignore_errors=True)


def _cut(count: int) -> list[np.ndarray]:
    return [np.arange(first, min(first + CHUNK_IMAGES, count)) for first in range(0, count, CHUNK_IMAGES)]


def _digest(bank: FeatureBank) -> str:
    """sha256 of the features and visibility scores, of second views too."""
    digest = hashlib.sha256()
    for array in (*bank.features, *((bank.second.of, *bank.second.bank.features) if bank.second else ())):
        digest.update(array.tobytes())
    return digest.hexdigest()
