"""DANet that ships, in place of one that a dataset cannot train."""

from __future__ import annotations

import functools
from pathlib import Path

from pipeline.datasets.records import read_rows
from pipeline.errors import UserError
from pipeline.labelers import TRAINED
from pipeline.runs.layout import Paths
from pipeline.runs.shipped import ShippedNetwork, shipped_labeler

SPLIT = "labeler"


def shipped_in_place(paths: Paths) -> ShippedNetwork | None:
    """DANet that ships, where LABELER=danet takes it without a weights file.

    None for another labeler, for a dataset with a split `labeler` or with a DANet that was trained on it, before the
    data stage, and if no DANet ships. Its files are not checked.
    """
    if paths.labeler != TRAINED or paths.stamp("labeler").is_file():
        return None
    found = shipped_labeler()
    if found is None or _may_train(paths.records):
        return None
    return found


def _may_train(records: Path) -> bool:
    """Whether a dataset has images to train DANet on, as far as it is known."""
    try:
        status = records.stat()
    except OSError:
        return True
    return _has_split(records, status.st_mtime_ns, status.st_size)


@functools.lru_cache
def _has_split(records: Path, written: int, size: int) -> bool:
    """Whether a list has images of the split. written, size: of the file, so that another one is read again."""
    try:
        return any(record.split == SPLIT for record, _ in read_rows(records, "make data"))
    except UserError:
        return True
