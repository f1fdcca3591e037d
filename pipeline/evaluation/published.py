"""Figures of the paper, beside an evaluation of what the paper measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.datasets.record_table import RecordTable
from pipeline.runs.config import EvalConfig

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Measured:
    """What an evaluation measured.

    protocol: with the options that replace its values. records: all images of the dataset. trained_on: dataset of the
    network's training. unreadable: number of images left out.
    """

    manifest: Manifest
    protocol: Protocol
    options: EvalConfig
    records: RecordTable
    trained_on: str
    unreadable: int = 0


@dataclass(frozen=True)
class PaperFigures:
    """Figures of the paper.

    rows: those that can be compared, in percent. left_out: why others cannot; "" where there are no others.
    """

    rows: tuple[Row, ...] = ()
    left_out: str = ""


def published(measured: Measured) -> PaperFigures:
    """Rows of the manifest that the evaluation can be compared with.

    They are of the whole test split, under their protocol, by a network that was trained on the same dataset.
    """
    manifest, rows = measured.manifest, measured.manifest.paper
    if not rows:
        return PaperFigures()
    if measured.options.split != "test":
        return PaperFigures(left_out=f"they are of the test split, and these figures of split {measured.options.split}")
    protocols = _protocols(measured)
    if not protocols:
        return PaperFigures(left_out=f"they are not of protocol {measured.protocol.name} as it was evaluated here")
    if measured.options.tracks:
        return PaperFigures(left_out="they are of single images, and these figures of tracks")
    if measured.options.adapt_norms:
        return PaperFigures(left_out="their networks had not seen the gallery, to which the norms are adapted here")
    trained = [row for row in protocols if row.get("trained_on", manifest.name) == measured.trained_on]
    if not trained:
        theirs = " and ".join(dict.fromkeys(str(row.get("trained_on", manifest.name)) for row in protocols))
        return PaperFigures(left_out=f"their networks were trained on {theirs}, this one on {measured.trained_on}")
    missing = deviation(manifest, measured.records, measured.trained_on == manifest.name)
    if measured.unreadable and not missing:
        missing = f"{measured.unreadable} unreadable images are left out"
    if missing:
        return PaperFigures(left_out=f"they are of the dataset as published; here {missing}")
    return PaperFigures(tuple(trained))


def _protocols(measured: Measured) -> list[Row]:
    """Rows of the evaluated protocol; a row that names none is of the default one."""
    find, used = measured.manifest.find_protocol, measured.protocol
    return [row for row in measured.manifest.paper if find(str(row.get("protocol", "default"))) == used]


def deviation(manifest: Manifest, records: RecordTable, training: bool) -> str:
    """The first difference from the published counts; "" for none.

    training: whether the training images count too.
    """
    splits = ("train", "query", "gallery") if training else ("query", "gallery")
    by_split = {split: records.of_split(split) for split in splits}
    for image_set in manifest.set:
        own = by_split.get(image_set.split)
        if own is None:
            continue
        inside = np.fromiter((name.startswith(image_set.prefix) for name in own.names), bool, len(own))
        images = int(inside.sum())
        if image_set.images not in (None, images):
            return f"{image_set.prefix} has {images:,} images, not {image_set.images:,}"
        cameras = zip(*np.unique(own.camid[inside], return_counts=True), strict=True)
        if image_set.per_camera and image_set.per_camera != {str(camid): count for camid, count in cameras}:
            return f"{image_set.prefix} has other numbers of images by camera"
    for split, expected in manifest.expected_ids.items():
        people = len(np.unique(by_split[split].pid)) if split in by_split else expected
        if people != expected:
            return f"{split} has {people:,} identities, not {expected:,}"
    return ""
