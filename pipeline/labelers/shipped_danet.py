"""DANet that ships, in place of one that a dataset cannot train."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

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
    """Whether a list has images of the split, or is damaged. written, size: of the file, which may be replaced."""
    try:
        with open(records, encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            column = next(table).index("split")
            return any(row[column] == SPLIT for row in table)
    except (OSError, ValueError, IndexError, StopIteration, csv.Error):  # damaged: its own stage will tell
        return True
