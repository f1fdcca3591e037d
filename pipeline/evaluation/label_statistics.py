"""Labels of a masks stage by image, and their statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.evaluation.label_report import Foreground, LabelStatistics, MaskAgreement, PartShare
from pipeline.io.texts import Texts
from pipeline.shards.format import ShardReader
from pipeline.shards.index import open_shards, read_index
from sorn.parts import CLASSES
from sorn.sample import NOT_COUNTED, Sample, Status

NAMED = 5  # images of each status that a report names
UNSEEN = (Status.UNREADABLE, Status.UNLABELED)  # no labeler saw them: their masks say nothing
DECILES = np.linspace(0, 1, 11)


class StoredLabels:
    """N images of some splits, in the order of the shards.

    names: N texts. split: [N] str. splits: in their order. status: [N] uint8. pid, camid, people: [N] int64. Raises
    UserError as `open_shards` does.
    """

    def __init__(self, index_path: Path, splits: Iterable[str] | None = None) -> None:
        self.index = read_index(index_path)
        chosen = self.index.splits if splits is None else splits
        opened = [(split, reader) for split in chosen for reader in open_shards(index_path, split)[1]]
        self.splits = list(dict.fromkeys(split for split, _ in opened))
        self._readers = [reader for _, reader in opened]
        lengths = np.array([len(reader) for reader in self._readers], np.int64)
        self._ends = lengths.cumsum()
        self._split = np.repeat(np.array([self.splits.index(split) for split, _ in opened], np.uint8), lengths)
        self.names = Texts(name for reader in self._readers for name in reader.names)
        self.status, self.pid, self.camid, self.people = (
            np.concatenate([getattr(reader, field) for reader in self._readers])
            for field in ("status", "pid", "camid", "people")
        )

    def __len__(self) -> int:
        return len(self.names)

    def _place(self, number: int) -> tuple[ShardReader, int]:
        """Shard of an image, and its row there."""
        shard = int(np.searchsorted(self._ends, number, side="right"))
        reader = self._readers[shard]
        return reader, int(number - self._ends[shard]) + len(reader)

    @property
    def split(self) -> np.ndarray:
        """Split of each image, [N] str."""
        return np.array(self.splits, str)[self._split]

    @property
    def seen(self) -> np.ndarray:
        """bool [N]: the images that a labeler saw."""
        return ~np.isin(self.status, UNSEEN)

    @property
    def used(self) -> np.ndarray:
        """bool [N]: the images whose labels are used; others were marked as wrong."""
        used: np.ndarray = self.seen & (self.status != Status.LEFT_OUT)
        return used

    def mask(self, number: int) -> np.ndarray:
        reader, row = self._place(number)
        return reader.mask(row)

    def sample(self, number: int) -> Sample:
        reader, row = self._place(number)
        return reader.sample(row)

    def pixels(self) -> np.ndarray:
        """Pixels of each class, int64 [N, 8]; zeros for images without a label."""
        counts = np.zeros((len(self), len(CLASSES)), np.int64)
        for number in np.flatnonzero(self.seen).tolist():
            counts[number] = np.bincount(self.mask(number).ravel(), minlength=len(CLASSES))
        return counts


def status_counts(status: np.ndarray) -> dict[str, int]:
    """name -> images, for every status, in the order of their numbers."""
    return {kind.name.lower(): int((status == kind).sum()) for kind in Status}


def statistics(
    labels: StoredLabels, pixels: np.ndarray, chosen: np.ndarray, exact: MaskAgreement | None
) -> LabelStatistics:
    """Statistics of the images that bool [N] chooses.

    pixels: as `StoredLabels.pixels` returns them. exact: agreement of the same images with ground truth.
    """
    status, seen = labels.status[chosen], chosen & labels.used
    counts = pixels[seen]
    people = labels.people[seen & (labels.people != NOT_COUNTED)].tolist()
    return LabelStatistics(
        images=int(chosen.sum()),
        seen=int(seen.sum()),
        status=status_counts(status),
        named={
            kind.name.lower(): tuple(labels.names.at(np.flatnonzero(chosen & (labels.status == kind))[:NAMED]))
            for kind in Status
            if kind not in (Status.OK, Status.UNLABELED) and (status == kind).any()
        },
        people={str(number): images for number, images in sorted(Counter(people).items())} if people else None,
        foreground=_foreground(counts) if len(counts) else None,
        parts=_parts(counts) if len(counts) else None,
        exact=exact,
    )


def _foreground(counts: np.ndarray) -> Foreground:
    """counts: pixels of each class, [n, 8]."""
    foreground = 1 - _shares(counts)[:, 0]
    return Foreground(float(foreground.mean()), tuple(float(value) for value in np.quantile(foreground, DECILES)))


def _parts(counts: np.ndarray) -> dict[str, PartShare]:
    shares = _shares(counts)
    return {
        name: PartShare(float((counts[:, part] > 0).mean()), float(shares[:, part].mean()))
        for part, name in enumerate(CLASSES)
    }


def _shares(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
    return shares
