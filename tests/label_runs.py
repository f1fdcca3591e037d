"""Finished masks of hand-made runs, with records, for tests of pages that show labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from record_tables import table_of_pairs

from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import write_records
from pipeline.io.files import digest_file, write_text
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from sorn.parts import HEAD
from sorn.sample import Sample, Status

SIZE = (96, 32)  # the lowest with six stripes


def sample(name: str, rows: int, status: Status = Status.OK, pid: int = 1, camid: int = 1, part: int = HEAD) -> Sample:
    """Image of a colour of its own, whose first of 96 rows are the part."""
    image = np.full((*SIZE, 3), [sum(name.encode()) % 251, 80, 200], np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[:rows] = part
    return Sample(image, mask, pid, camid, name, status)


def write_labels(paths: Paths, samples: Sequence[Sample], shard_images: int = 100) -> None:
    """Shards and index of the run's masks, and the records of its data stage.

    Names begin with the split; those of a split are in order. The dataset's folder is `data_root`/dataset.
    """
    labeler = {"name": paths.labeler, "version": 1, "options": {}}
    shards, splits, rows = [], {}, []
    for split in dict.fromkeys(item.name.partition("/")[0] for item in samples):
        own = [item for item in samples if item.name.startswith(f"{split}/")]
        writers = []
        for number, first in enumerate(range(0, len(own), shard_images)):
            part = own[first : first + shard_images]
            with ShardWriter(paths.shard(split, number), len(part), SIZE, paths.run_name, labeler) as writer:
                for item in part:
                    writer.append(item)
            writers.append(writer)
            file = paths.shard(split, number)
            relative = file.relative_to(paths.shard_index.parent).as_posix()
            shards.append(ShardEntry(relative, split, len(part), writer.content.digest, digest_file(file)))
        content = writers[0].content
        for writer in writers[1:]:
            content.extend(writer.content)
        splits[split] = SplitEntry(
            len(own), content.digest, content.detection_digest, dict(content.status), content.foreground_share
        )
    for item in samples:
        record = ImageRecord(item.name, Path(item.name), item.pid, item.camid, item.name.partition("/")[0])
        rows.append((record, ImageFile(1, 1, "s", SIZE[1], SIZE[0])))
    index = ShardIndex(paths.run_name, MadeBy.of(labeler), None, SIZE, (1,), splits, tuple(shards))
    write_index(paths.shard_index, index)
    write_records(paths.records, table_of_pairs(rows))
    write_text(paths.data_summary, json.dumps({"root": str(paths.data_root / paths.dataset), "title": "Mine <b>"}))


def write_exact(paths: Paths, name: str, mask: np.ndarray) -> None:
    """Ground truth of an image of SynPed."""
    for kind, end in (("masks", ".png"), ("images", ".jpg")):
        path = (paths.data_root / paths.dataset / kind / name).with_suffix(end)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
