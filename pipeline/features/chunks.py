"""What a network says about the images of some splits, in parts that outlive a kill. Reads and writes eval/parts/*.h5.

A part is a feature bank of its own, of at most PART_IMAGES images in the order of the split, and the unit of resuming
and of sharing work: one that carries today's fingerprint and matches its own digest is kept, every other is made anew.
Processes of torchrun take every n-th part. Where parts and batches are cut depends on the split alone, so the features
are the same however often the work was interrupted and whoever did it.
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
from sorn.features import FeatureBank
from sorn.visibility import keypoint_visibility

logger = logging.getLogger(__name__)

PART_IMAGES = 512  # half a minute of ResNet-50 on a desktop's CPU, some 20 MB

Seen = tuple[np.ndarray, np.ndarray, np.ndarray]  # global, local, visibility of some images, as in a FeatureBank
Look = Callable[[ShardDataset, np.ndarray], Seen]  # at images of a split: positions int64 [B]


@dataclass(frozen=True)
class Part:
    """Images `positions`, int64 [n], of a split; path: where their bank is, or will be."""

    path: Path
    data: ShardDataset
    positions: np.ndarray
    fingerprint: str

    def batches(self, size: int) -> list[np.ndarray]:
        return [self.positions[first : first + size] for first in range(0, len(self.positions), size)]

    def write(self, seen: Seen) -> None:
        """Raises UserError when the disk is full or a feature is not finite."""
        data, of = self.data, self.positions
        pose = None if data.index.pose is None else keypoint_visibility(data.keypoints[of], seen[1].shape[1])
        bank = FeatureBank(*seen, data.pid[of], data.camid[of], data.name[of], pose)
        write_bank(self.path, bank, {"fingerprint": self.fingerprint, "sha256": _digest(bank)})

    def read(self) -> FeatureBank:
        """Raises UserError for a part that is missing, damaged or of other images."""
        bank, attrs = read_bank(self.path)
        whole = attrs == {"fingerprint": self.fingerprint, "sha256": _digest(bank)}
        if not whole or not np.array_equal(bank.name, self.data.name[self.positions]):
            raise UserError(f"{self.path} is damaged", "Run the same command again: it makes this part anew.")
        return bank

    def finished(self) -> bool:
        if not self.path.is_file():
            return False
        try:
            self.read()
        except UserError as error:
            logger.warning(f"eval: {error.wrong}; making this part anew")
            return False
        return True


class FeatureParts:
    """The parts of some splits. fingerprint: of all that the features depend on. label: of the progress."""

    def __init__(self, paths: Paths, fingerprint: str, splits: Sequence[ShardDataset], label: str) -> None:
        self.folder, self.label = paths.feature_parts, label
        self.parts = [
            Part(paths.feature_part(fingerprint, data.split, number), data, positions, fingerprint)
            for data in splits
            for number, positions in enumerate(_cut(len(data)))
        ]

    def make(self, inference: Inference, look: Look, size: int) -> None:
        """Make those that are missing, together with the other processes, and wait for these. size: images per batch.

        Raises UserError for features that are not finite and for a full disk.
        """
        own = self.parts[distributed.here().number :: distributed.here().world]
        missing = [part for part in own if not part.finished()]
        if len(missing) < len(own):
            distributed.say(f"eval: {len(own) - len(missing)} of {len(own)} parts of {self.label} are finished already")
        total, left = (sum(len(part.positions) for part in parts) for parts in (own, missing))
        batches = [(part.data, positions) for part in missing for positions in part.batches(size)]
        with (
            Progress(total, self.label, done=total - left, quiet=distributed.here().number > 0) as shown,
            closing(inference.run(look, batches)) as seen,
        ):
            for part in missing:
                pieces = []
                for piece in islice(seen, len(part.batches(size))):
                    pieces.append(piece)
                    shown.advance(len(piece[0]))
                joined = [np.concatenate(field) for field in zip(*pieces, strict=True)]
                part.write((joined[0], joined[1], joined[2]))
        distributed.meet()
        lost = [part.path for part in self.parts if not part.path.is_file()]
        if lost:
            wrong = f"another process has written {lost[0]}, but it is not here"
            raise UserError(wrong, "All machines must see the same folder of runs: choose one with RUNS=.")
        distributed.meet()  # process 0 may remove them now: every process has seen them

    @property
    def bytes(self) -> int:
        """Of all parts on the disk."""
        return sum(part.path.stat().st_size for part in self.parts)

    def rows(self, data: ShardDataset) -> BankRows:
        """The bank of one split, read part by part."""
        return BankRows(len(data), self._read(data))

    def _read(self, data: ShardDataset) -> Iterator[FeatureBank]:
        return (part.read() for part in self.parts if part.data is data)

    def remove(self) -> None:
        """Those of other fingerprints, too: nobody else is at work here."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _cut(count: int) -> list[np.ndarray]:
    return [np.arange(first, min(first + PART_IMAGES, count)) for first in range(0, count, PART_IMAGES)]


def _digest(bank: FeatureBank) -> str:
    """sha256 of what the network said."""
    digest = hashlib.sha256()
    for array in (bank.global_, bank.local, bank.visibility):
        digest.update(array.tobytes())
    return digest.hexdigest()
