"""Plan of a run's shards: their images, finished shards, and the index.

Reads and verifies the shards that an interrupted run has left. Removes shards that no run will need.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.manifest import SPLITS
from pipeline.datasets.record_table import RecordTable
from pipeline.errors import UserError
from pipeline.io.disk import require_space
from pipeline.io.files import digest_file
from pipeline.io.hdf5 import OutOfReach
from pipeline.io.images import decode
from pipeline.runs.config import MasksConfig
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.replacement import link
from pipeline.runtime import distributed
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import PIXEL_BYTES, ShardReader
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry
from pipeline.shards.mending import Mending, finished_shard

logger = logging.getLogger(__name__)

STORED_SPLITS = tuple(split for split in SPLITS if split != "labeler")  # no re-identification stage touches that one


@dataclass(frozen=True)
class PlannedShard:
    """Planned shard, with its images in the order of their names."""

    path: Path
    split: str
    records: RecordTable


def readable_again(shard: PlannedShard, content: ShardContent) -> list[str]:
    """Images stored as unreadable in a shard that can be decoded now."""
    missed = set(content.unreadable)
    back = (record.name for record in shard.records if record.name in missed and decode(record.path) is not None)
    return list(back) if missed else []


class ShardPlan:
    """All shards of one run.

    The images of a split, in the order of their names, are divided into shards of at most `shard_images`. contents:
    path -> content of a finished shard; filled by `find_finished` and by the stage that writes the missing ones.
    fingerprint: of the labels, as the shards have it. mending: marks and mended masks that they must hold.
    """

    def __init__(
        self,
        paths: Paths,
        records: RecordTable,
        config: MasksConfig,
        fingerprint: str,
        mending: Mending | None = None,
    ) -> None:
        self.paths, self.config, self.fingerprint = paths, config, fingerprint
        self.mending = mending or Mending()
        self.folder = paths.folder("masks")
        self.contents: dict[Path, ShardContent] = {}
        self.records = records.of_split(*STORED_SPLITS)
        step = config.shard_images
        self.shards = []
        for split in STORED_SPLITS:
            chosen = records.of_split(split).by_name()
            for number, first in enumerate(range(0, len(chosen), step)):
                self.shards.append(PlannedShard(paths.shard(split, number), split, chosen[first : first + step]))
        if not self.shards:
            raise UserError(f"{paths.records} names no images to store", f"Run: sorn data check {paths.dataset}")

    def missing(self, shards: list[PlannedShard]) -> list[PlannedShard]:
        return [shard for shard in shards if shard.path not in self.contents]

    def link_finished(self, shards: list[PlannedShard]) -> None:
        """Second names for finished shards that have all that is wanted.

        So the newer outputs hold them, and only shards with changed images are written.
        """
        for shard in shards:
            finished = self.former(shard)
            if finished != shard.path and not shard.path.exists():
                whole = finished_shard(finished, self.fingerprint, shard.records.names)
                if whole is not None and self.mending.is_in(whole):
                    link(finished, shard.path)

    def former(self, shard: PlannedShard) -> Path:
        """Place of a shard among the outputs of the finished stage."""
        return self.paths.settled.folder("masks") / shard.path.relative_to(self.folder)

    def find_finished(self, shards: list[PlannedShard]) -> int:
        """Number of finished shards among these; their contents are kept.

        A finished shard has this fingerprint, holds these images and matches its own digest.
        """
        with ThreadPoolExecutor(distributed.cores()) as pool:  # hashing leaves the interpreter lock
            contents = list(pool.map(self._finished, shards))
        found = {shard.path: content for shard, content in zip(shards, contents, strict=True) if content is not None}
        self.contents |= found
        return len(found)

    def _finished(self, shard: PlannedShard) -> ShardContent | None:
        if not shard.path.exists():
            return None
        try:
            reader = ShardReader(shard.path)
            if (reader.fingerprint, reader.names) != (self.fingerprint, shard.records.names):
                return None
            content = reader.verified_content()
            if not self.mending.is_in(reader):
                return None
        except OutOfReach:  # it may be whole, and cost hours
            raise
        except UserError as error:
            logger.info(f"masks: {error.wrong}; writing it again")
            return None
        if back := readable_again(shard, content):
            logger.info(f"masks: {shard.path} lacks {', '.join(back)}, unreadable then and not now; writing it again")
            return None
        return content

    def readable_again(self) -> list[str]:
        """Names of images that were unreadable and can be decoded now.

        For example, a disk was not mounted when their shard was written.
        """
        return [name for shard in self.shards for name in readable_again(shard, self.contents[shard.path])]

    def require_space(self, shards: list[PlannedShard]) -> None:
        """Check of the free disk space before the work.

        Raises UserError where the shards cannot fit. A replaced shard frees its space only when the new one is
        finished.
        """
        height, width = self.config.image_size
        sizes = [len(shard.records) * height * width * PIXEL_BYTES for shard in shards]
        freed = sum(shard.path.stat().st_size for shard in shards if shard.path.exists())
        require_space(self.folder, sum(sizes) - freed + max(sizes, default=0))

    def index(
        self, labeler: Mapping[str, object], pose: Mapping[str, object] | None, fingerprint: str = ""
    ) -> ShardIndex:
        """Index of the finished plan.

        labeler, pose: the values of their `describe()`. fingerprint: of the stage, "" where it is that of the shards.
        """
        entries, splits = [], {split: ShardContent() for split in STORED_SPLITS}
        for shard in self.shards:
            content = self.contents[shard.path]
            splits[shard.split].extend(content)
            file, digest = shard.path.relative_to(self.folder).as_posix(), digest_file(shard.path)
            entries.append(ShardEntry(file, shard.split, len(shard.records), content.digest, digest))
        return ShardIndex(
            fingerprint=fingerprint or self.fingerprint,
            labels="" if fingerprint in ("", self.fingerprint) else self.fingerprint,
            labeler=MadeBy.of(labeler),
            pose=None if pose is None else MadeBy.of(pose),
            image_size=self.config.image_size,
            pids=tuple(np.unique(self.records.of_split("train").pid).tolist()),
            splits={
                split: SplitEntry(
                    len(content.items),
                    content.digest,
                    content.detection_digest,
                    dict(content.status),
                    content.foreground_share,
                )
                for split, content in splits.items()
                if content.items
            },
            shards=tuple(entries),
        )

    def remove_surplus(self) -> None:
        """Removal of an earlier run's other shards and of half-written files."""
        planned = {shard.path for shard in self.shards}
        for path in sorted(self.folder.glob("*/shard-*.h5*")):
            if path not in planned:
                path.unlink()
                with contextlib.suppress(OSError):  # the split has other shards
                    path.parent.rmdir()
