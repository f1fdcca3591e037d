"""Marks and mended masks, applied to samples and finished shards.

A shard that has what is wanted stays as it is. Any other one is written again, from the finished one where its labels
can be taken from there, so that a few marks cost no labeling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipeline.datasets.file_digests import files_digest
from pipeline.datasets.marks import Marks, read_marks
from pipeline.datasets.mended_masks import MendedMasks, annotation_file, find_mended
from pipeline.datasets.record_table import RecordTable
from pipeline.errors import UserError
from pipeline.io.files import digest_file, digest_json
from pipeline.io.hdf5 import OutOfReach
from pipeline.io.texts import Texts
from pipeline.runs.config import MasksConfig
from pipeline.shards.change import Change
from pipeline.shards.format import ShardReader
from sorn.sample import Sample, Status


@dataclass(frozen=True)
class Mending:
    """Marks and mended masks of labelled images."""

    marks: Marks = field(default_factory=Marks)
    masks: MendedMasks = field(default_factory=MendedMasks)

    @staticmethod
    def of(config: MasksConfig, records: RecordTable) -> Mending:
        """Mending that the options ask for.

        records: of the labelled images. Raises LostFile for a file or a folder that is not there, UserError for one
        that cannot be used.
        """
        marks, masks = Marks(), MendedMasks()
        if config.leave_out:
            marks = read_marks(Path(config.leave_out), set(records.names))
        if config.overrides:
            masks = find_mended(Path(config.overrides), records.names)
        return Mending(marks, masks)

    def inputs(self, config: MasksConfig) -> dict[str, str]:
        """Digests of what the options name, by content."""
        digests: dict[str, str] = {}
        if config.leave_out:
            digests["marks"] = digest_json(sorted(self.marks.reasons.items()))
        if config.overrides:
            place, files = Path(config.overrides), self.masks.files
            if files:
                digests["mended masks"] = files_digest(place, (files[name] for name in sorted(files)))
            else:
                digests["mended masks"] = digest_file(annotation_file(place))
        return digests

    def sentences(self, config: MasksConfig) -> list[str]:
        said = self.marks.sentences(config.leave_out) if config.leave_out else []
        return said + (self.masks.sentences(config.overrides) if config.overrides else [])

    def applied(self, sample: Sample, change: Change | None = None) -> tuple[Sample, Change]:
        """Sample as it is wanted, and its change.

        change: of a sample from a finished shard; None for one as the labeler made it. A mended mask equal to the
        labeler's changes nothing. Raises UserError for a mended mask that cannot be used.
        """
        before = change or Change(sample.status)
        if sample.status == Status.UNREADABLE:
            return sample, before
        mask, mended = sample.mask, before.mended
        if sample.name in self.masks:
            wanted = self.masks.read(sample.name, mask.shape)
            if not np.array_equal(wanted, mask):
                mask, mended = wanted, True
        status = (Status.OK if mask.any() else Status.EMPTY) if mended else before.found
        if sample.name in self.marks.reasons:
            status = Status.LEFT_OUT
        return replace(sample, mask=mask, status=status), Change(before.found, mended)

    def is_in(self, shard: ShardReader) -> bool:
        """Whether a finished shard has everything that is wanted."""
        for row, name in enumerate(shard.names):
            if shard.status[row] == Status.UNREADABLE:
                continue
            if (shard.status[row] == Status.LEFT_OUT) != (name in self.marks.reasons):
                return False
            if name in self.masks:
                if not np.array_equal(self.masks.read(name, shard.image_size), shard.mask(row)):
                    return False
            elif shard.change(row).mended:
                return False
        return True

    def may_start_from(self, shard: ShardReader) -> bool:
        """Whether the labels can be taken from a finished shard.

        They cannot if a mask has to be the labeler's own again.
        """
        mended = [name for row, name in enumerate(shard.names) if shard.change(row).mended]
        return all(name in self.masks for name in mended)


def finished_shard(path: Path, fingerprint: str, names: Texts) -> ShardReader | None:
    """Whole shard of these images and labels; None without one.

    It may be mended. Raises OutOfReach for a file that may be whole and cannot be opened.
    """
    if not path.exists():
        return None
    try:
        shard = ShardReader(path)
        if (shard.fingerprint, shard.names) != (fingerprint, names):
            return None
        shard.verified_content()
    except OutOfReach:
        raise
    except UserError:
        return None
    return shard


def unmended(inputs: Mapping[str, str], mending: Mapping[str, str]) -> dict[str, str]:
    """Inputs without those of the mending: what decides the labels themselves."""
    return {name: digest for name, digest in inputs.items() if name not in mending}
