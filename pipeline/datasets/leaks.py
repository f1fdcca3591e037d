"""Leaks: one file on two sides of an evaluation.

A file is its content: its path, its camera and its person may differ. Reads no files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pipeline.datasets.manifest import QUERY_SPLITS
from pipeline.datasets.records import Finding, ImageRecord

Digested = tuple[ImageRecord, str]  # with the sha256 of its file
Pair = tuple[ImageRecord, ImageRecord]

EXAMPLES = 3
VALIDATED = ("val_query", "val_gallery")
TESTED = ("query", "gallery")
LEARNT = (*(("train", split) for split in (*TESTED, *VALIDATED)), *((a, b) for a in VALIDATED for b in TESTED))
# A split that decides about the weights, and one that they are measured on.


def leaks(images: Iterable[Digested]) -> list[Finding]:
    """Warnings about files in two splits, with their number and names.

    A gallery image with the file, the person and the camera of a query is no leak: the filter drops it.
    """
    splits: dict[str, list[Digested]] = defaultdict(list)
    for image in images:
        splits[image[0].split].append(image)
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


def shared(first: Iterable[Digested], second: Iterable[Digested]) -> list[Pair]:
    """Pairs of images with one file, in the order of the first."""
    places: dict[str, list[ImageRecord]] = defaultdict(list)
    for record, digest in second:
        places[digest].append(record)
    return [(record, other) for record, digest in first for other in places.get(digest, ())]


def trained_on(images: Iterable[Digested], run: str, training: Iterable[Digested]) -> list[Finding]:
    """Warning about query and gallery images that another run has learnt.

    run: its name. training: images of that run. Without such images the list is empty.
    """
    asked = [image for image in images if image[0].split in TESTED]
    pairs = shared(asked, [image for image in training if image[0].split == "train"])
    if not pairs:
        return []
    wrong = f"{_counted(pairs, asked, 'query and gallery')} were training images of {run}: {_examples(pairs)}"
    return [Finding("warning", wrong, "The network has learnt these images: take them out of query and gallery.")]


def _dropped(query: ImageRecord, gallery: ImageRecord) -> bool:
    return (query.pid, query.camid) == (gallery.pid, gallery.camid)


def _counted(pairs: list[Pair], images: list[Digested], where: str = "") -> str:
    number = len({record.name for record, _ in pairs})
    return f"{number:,} of {len(images):,} images of {where or pairs[0][0].split}"


def _examples(pairs: list[Pair]) -> str:
    named = [f"{record.name} = {other.name}" for record, other in pairs[:EXAMPLES]]
    return ", ".join(named) + (f" and {len(pairs) - EXAMPLES:,} more" if len(pairs) > EXAMPLES else "")
