"""Stage 1, masks: reads the images of records.csv, labels body parts, writes shards of both and their index.

A shard is the unit of resuming: one that carries today's fingerprint and matches its own digest is kept, every other is
written anew and replaces the old one when it is whole. The index is written last; then shards it does not name go.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np

from pipeline import labelers, stamp
from pipeline.config import Config
from pipeline.data_summary import read_summary
from pipeline.errors import UserError
from pipeline.labelers.base import Labeled, Labeler, Source
from pipeline.layout import Paths
from pipeline.manifest import load_manifest
from pipeline.pixels import decode, resize_image, resize_mask
from pipeline.progress import Progress
from pipeline.records import ImageRecord, read_records
from pipeline.shard_index import read_index, summary, write_index
from pipeline.shard_plan import STORED_SPLITS, PlannedShard, ShardPlan
from pipeline.shards import ShardWriter
from sorn.sample import Sample, Status

NAME = "masks"
VERSION = 1

LABEL_BATCH = 64  # images decoded and labelled at a time: enough for a GPU, little memory
UNREADABLE_LIMIT = 0.05  # above this share something is wrong with the dataset, not with an image
SHOWN = 5  # names of unreadable images in a message


def settings(config: Config, paths: Paths) -> dict[str, Any]:
    masks = config.masks
    return {
        "labeler": _labeler(paths.labeler, config.masks.options, paths).describe(),
        "image_size": list(masks.image_size),
        "splits": sorted(_labelled_splits(config)),
        "shard_images": masks.shard_images,
    }


def inputs(config: Config, paths: Paths) -> dict[str, str]:
    before = stamp.read(paths.folder("data"))
    if before is None:
        wrong = f"the data stage has not finished in {paths.folder('data')}"
        raise UserError(wrong, f"Run: make data DATASET={paths.dataset}")
    records = [record for record in read_records(paths) if record.split in _labelled_splits(config)]
    labeler = _labeler(paths.labeler, config.masks.options, paths)
    return {"records": before.provides["records"], **labeler.inputs(records)}


def run(config: Config, paths: Paths, fingerprint: str) -> Path:
    """Write the shards that are missing, then the index. Raises UserError for bad images or masks or a full disk."""
    labeler = _labeler(paths.labeler, config.masks.options, paths)
    unlabeled = _labeler("none", {}, paths)
    splits = _labelled_splits(config)
    plan = ShardPlan(paths, read_records(paths), config.masks, fingerprint)
    labeler.prepare(plan.records(splits), config.runtime)
    plan.find_finished()
    plan.require_space()
    total, left = (sum(len(shard.records) for shard in shards) for shards in (plan.shards, plan.missing))
    with Progress(total, "masks", done=total - left) as shown:
        for shard in plan.missing:
            size = config.masks.image_size
            with ShardWriter(shard.path, len(shard.records), size, fingerprint, labeler.describe()) as writer:
                for sample in _samples(shard, labeler if shard.split in splits else unlabeled, config):
                    writer.append(sample)
                    shown.advance()
                paths.shard_index.unlink(missing_ok=True)  # it names the old shard, which is replaced next
            plan.contents[shard.path] = writer.content
    unreadable = [name for shard in plan.shards for name in plan.contents[shard.path].unreadable]
    _check_readable(unreadable, total, paths)
    index = plan.index(labeler.describe(), None)
    write_index(paths.shard_index, index)
    plan.remove_surplus()
    click.echo(f"masks: {paths.folder(NAME)}: {summary(index)}")
    if unreadable:
        click.echo(f"masks: {_some(unreadable, total)} cannot be read and will be left out")
    return paths.shard_index


def outputs(paths: Paths) -> list[Path]:
    folder = paths.folder(NAME)
    return [paths.shard_index, *(folder / entry.file for entry in read_index(paths.shard_index).shards)]


def provides(paths: Paths) -> dict[str, str]:
    """split -> digest of its content, whatever labelled it and wherever the shards are cut."""
    return {split: entry.digest for split, entry in read_index(paths.shard_index).splits.items()}


def _labeler(name: str, options: dict[str, Any], paths: Paths) -> Labeler:
    root = Path(read_summary(paths)["root"])
    return labelers.create(name, options, Source(load_manifest(paths.dataset), root))


def _labelled_splits(config: Config) -> set[str]:
    for split in config.masks.splits:
        if split not in STORED_SPLITS:
            raise UserError(f"masks.splits names '{split}', which is no split", f"Known: {', '.join(STORED_SPLITS)}.")
    return set(config.masks.splits)


def _samples(shard: PlannedShard, labeler: Labeler, config: Config) -> Iterator[Sample]:
    """Decode, label and resize the shard's images; in their order, whatever the number of workers."""
    size = config.masks.image_size
    nothing = Labeled(np.zeros(size, np.uint8), Status.UNREADABLE)

    def sample(record: ImageRecord, image: np.ndarray | None, found: Labeled) -> Sample:
        pixels = np.zeros((*size, 3), np.uint8) if image is None else resize_image(image, size)
        return Sample(pixels, resize_mask(found.mask, size), record.pid, record.camid, record.name, found.status)

    # Threads are enough: Pillow leaves the interpreter lock while it decodes and resizes.
    with ThreadPoolExecutor(max(1, config.runtime.workers)) as pool:
        for first in range(0, len(shard.records), LABEL_BATCH):
            records = shard.records[first : first + LABEL_BATCH]
            images = list(pool.map(decode, [record.path for record in records]))
            readable = [(record, image) for record, image in zip(records, images, strict=True) if image is not None]
            found = labeler.label([record for record, _ in readable], [image for _, image in readable])
            assert len(found) == len(readable), labeler.name
            rest = iter(found)
            yield from pool.map(sample, records, images, [nothing if image is None else next(rest) for image in images])


def _check_readable(unreadable: list[str], total: int, paths: Paths) -> None:
    if len(unreadable) > UNREADABLE_LIMIT * total:
        raise UserError(
            f"{_some(unreadable, total)} cannot be read", f"Copy them again; see: sorn data check {paths.dataset}"
        )


def _some(names: list[str], total: int) -> str:
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} of {total} images ({', '.join(names[:SHOWN])}{more})"
