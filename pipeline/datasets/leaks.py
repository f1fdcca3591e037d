"""Leaks: one file on two sides of an evaluation.

A file is its content: its path, its camera and its person may differ. Reads no files.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pipeline.datasets.manifest import QUERY_SPLITS
from pipeline.datasets.record_table import RecordTable, RecordValues
from pipeline.datasets.records import Finding

Pair = tuple[RecordValues, RecordValues]

EXAMPLES = 3
VALIDATED = ("val_query", "val_gallery")
TESTED = ("query", "gallery")
LEARNT = (*(("train", split) for split in (*TESTED, *VALIDATED)), *((a, b) for a in VALIDATED for b in TESTED))
# A split that decides about the weights, and one that they are measured on.


def leaks(images: RecordTable) -> list[Finding]:
    """Warnings about files in two splits, with their number and names.

    images: with their files. A gallery image with the file, the person and the camera of a query is no leak: the filter
    drops it.
    """
    splits = {split: images.of_split(split) for pair in (*QUERY_SPLITS.items(), *LEARNT) for split in pair}
    found = []
    for query, gallery in QUERY_SPLITS.items():
        pairs = [pair for pair in shared(splits[query], splits[gallery]) if not _dropped(*pair)]
        if pairs:
            wrong = f"{_counted(pairs, splits[query])} are in {gallery} too, as another camera's or person's: "
            remedy = f"A query is its own best match: take these files out of {query} or {gallery}."
            found.append(Finding("warning", wrong + _examples(pairs), remedy))
    for learnt, measured in LEARNT:
        pairs = shared(splits[measured], splits[learnt])
        if pairs:
            wrong = f"{_counted(pairs, splits[measured])} are in {learnt} too: {_examples(pairs)}"
            found.append(Finding("warning", wrong, f"Take these files out of {learnt} or {measured}."))
    return found


def shared(first: RecordTable, second: RecordTable) -> list[Pair]:
    """Pairs of images with one file, in the order of the first."""
    if not len(first) or not len(second):
        return []
    keys, others = first.digests.numbers, second.digests.numbers
    places: dict[str, list[int]] = defaultdict(list)
    for number in np.flatnonzero(np.isin(others, keys)).tolist():  # the others need not be held
        places[second.file_values(number).sha256].append(number)
    return [
        (first.values(number), second.values(other))
        for number in np.flatnonzero(np.isin(keys, others)).tolist()
        for other in places.get(first.file_values(number).sha256, ())
    ]


def trained_on(images: RecordTable, run: str, training: RecordTable) -> list[Finding]:
    """Warning about query and gallery images that another run has learnt.

    run: its name. training: images of that run. Without such images the list is empty.
    """
    asked = images.of_split(*TESTED)
    pairs = shared(asked, training.of_split("train"))
    if not pairs:
        return []
    wrong = f"{_counted(pairs, asked, 'query and gallery')} were training images of {run}: {_examples(pairs)}"
    return [Finding("warning", wrong, "The network has learnt these images: take them out of query and gallery.")]


def _dropped(query: RecordValues, gallery: RecordValues) -> bool:
    return (query.pid, query.camid) == (gallery.pid, gallery.camid)


def _counted(pairs: list[Pair], images: RecordTable, where: str = "") -> str:
    number = len({record.name for record, _ in pairs})
    return f"{number:,} of {len(images):,} images of {where or pairs[0][0].split}"


def _examples(pairs: list[Pair]) -> str:
    named = [f"{record.name} = {other.name}" for record, other in pairs[:EXAMPLES]]
    return ", ".join(named) + (f" and {len(pairs) - EXAMPLES:,} more" if len(pairs) > EXAMPLES else "")
