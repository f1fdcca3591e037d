"""Consistency of the files of the stages data, labeler, masks and train.

Reads tables, headers and shards. The digests of the files are checked elsewhere; here a file can still belong to
another run. The outputs of an earlier stage are compared only if this stage was made from them and they are whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.records_file import content_digest, read_records
from pipeline.datasets.summary import DataSummary
from pipeline.evaluation.label_report import read_label_report
from pipeline.io.text import read_json
from pipeline.io.texts import Texts, ascending
from pipeline.io.weights_metadata import read_metadata
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.stamp import Stamp
from pipeline.shards.digest import ShardContent
from pipeline.shards.format import ShardReader
from pipeline.shards.index import ShardEntry, ShardIndex, read_index
from pipeline.stages import masks as stage
from pipeline.tools.verify.checks import Checks
from pipeline.tools.verify.hashing import FileState
from sorn.sample import Status

CLOSE = 1e-9  # largest difference of shares that were summed in another order


@dataclass(frozen=True)
class SplitImages:
    """N images of a split, in the order of their names.

    pids, camids: int64 [N].
    """

    names: Texts
    pids: np.ndarray
    camids: np.ndarray

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SplitImages):
            return NotImplemented
        ids = ((self.pids, other.pids), (self.camids, other.camids))
        return self.names == other.names and all(np.array_equal(*pair) for pair in ids)

    @property
    def sorted(self) -> bool:
        """Whether the names are sorted, and no two the same."""
        return ascending(self.names)


Images = dict[str, SplitImages]  # split -> its images


@dataclass(frozen=True)
class Stored:
    """Content of a masks stage.

    images: of the splits whose shards are whole. readable: the images that could be decoded.
    """

    index: ShardIndex
    images: Images
    readable: Images


def data(paths: Paths, made: Stamp, checks: Checks) -> Images | None:
    """Check records.csv and summary.json; returns the images.

    Checked are the digest that later stages use and the numbers of images.
    """
    if not checks.sound(paths.records):
        return None
    with checks.reading(paths.records):
        records = read_records(paths.records, "make data")
        unsorted = f"{paths.records}: its names are not sorted, or not unique"
        checks.must(ascending(records.names), unsorted, paths.records)
        by_split = {split: records.of_split(split).by_name() for split in records.splits}
        images = {split: SplitImages(found.names, found.pid, found.camid) for split, found in by_split.items()}
        content = content_digest(records)
        wrong = f"{paths.records} does not hold the images that {paths.stamp('data')} provides to later stages"
        checks.must(content == made.provides.get("records"), wrong, paths.records)
        if checks.sound(paths.records, paths.data_summary):
            _summary(paths.data_summary, content, images, checks)
        return images
    return None


def _summary(path: Path, content: str, images: Images, checks: Checks) -> None:
    with checks.reading(path):
        summary = DataSummary.from_json(read_json(path))
        checks.must(summary.content == content, f"{path} is of other images than records.csv", path)
        for split in dict.fromkeys((*summary.splits, *images)):
            counted = summary.splits[split].images if split in summary.splits else 0
            found = len(images[split].names) if split in images else 0
            wrong = f"{path} counts {counted} images of {split}, the records {found}"
            checks.must(counted == found, wrong, path)


def labeler(paths: Paths, made: Stamp, seen: Mapping[Path, FileState], checks: Checks) -> None:
    """Compare danet.safetensors with config.json and with the stamp."""
    weights, about = paths.labeler_checkpoint, paths.labeler_config
    metadata = _weights(weights, made, seen, checks)
    if metadata is not None and checks.sound(about):
        with checks.reading(about):
            same = read_json(about) == metadata
            checks.must(same, f"{about} differs from the metadata of {weights.name}", about)


def train(
    paths: Paths, made: Stamp, seen: Mapping[Path, FileState], stored: Stored | None, checks: Checks
) -> CheckpointInfo | None:
    """Check model.safetensors and config.json; returns config.json.

    They must belong to the training of the stamp and to the shards that it was made from.
    """
    weights, about = paths.checkpoint, paths.train_config
    _weights(weights, made, seen, checks)
    if not checks.sound(about):
        return None
    with checks.reading(about):
        described = describe(paths.folder("train"))
        pids, identities = described.pids, described.model.identities
        wrong = f"{about} names {len(pids)} persons for {identities} identities of the network"
        checks.must(len(pids) == identities, wrong, about)
        if stored is not None:
            wrong = f"{about} is of other persons or another size of images than {paths.shard_index}"
            ours = (pids, described.image_size)
            checks.must(ours == (stored.index.pids, stored.index.image_size), wrong, about)
        return described
    return None


def _weights(path: Path, made: Stamp, seen: Mapping[Path, FileState], checks: Checks) -> Mapping[str, Any] | None:
    """Metadata of a checkpoint; None if it is damaged or not the one of the stamp."""
    if not checks.sound(path):
        return None
    digest = seen[path].sha256 if path in seen else ""
    wrong = f"{path} is not the checkpoint that its stamp provides to later stages"
    checks.must(digest == made.provides.get("checkpoint"), wrong, path)
    with checks.reading(path):
        metadata = read_metadata(path)
        wrong = f"{path} is of another training than its stamp"
        checks.must(metadata.get("fingerprint") == made.fingerprint, wrong, path)
    return metadata if checks.sound(path) else None


def masks(
    run: Run, made: Stamp, seen: Mapping[Path, FileState], records: Images | None, checks: Checks
) -> Stored | None:
    """Check the shards, the index and the label report.

    Shards are compared with the index, splits with their shards and records.csv, and the label report with the index.
    """
    paths, path = run.paths, run.paths.shard_index
    if not checks.sound(path):
        return None
    with checks.reading(path):
        index = read_index(path)
        wrong = f"{path} is of another run of the masks stage than its stamp"
        checks.must(index.fingerprint == made.fingerprint, wrong, path)
        images: Images = {}
        readable: Images = {}
        for split in dict.fromkeys([*index.splits, *(entry.split for entry in index.shards)]):
            entries = [entry for entry in index.shards if entry.split == split]
            shards = [_shard(path, entry, index, seen, checks) for entry in entries]
            whole = [pair for pair in shards if pair is not None]
            if split not in index.splits or not entries:
                checks.must(False, f"{path} has no count or no shards of split {split}", path)
            elif len(whole) == len(entries):
                images[split], readable[split] = _images([reader for reader, _ in whole])
                _split(path, split, index, [content for _, content in whole], images[split], made, checks)
                if records is not None:
                    wrong = f"{path.parent / split} holds other images or ids of {split} than {paths.records}"
                    checks.must(images[split] == records.get(split), wrong, path)
        if records is not None:
            wrong = f"{path} holds the splits {sorted(index.splits)}, the records {sorted(records)}"
            checks.must(set(index.splits) == records.keys() - {"labeler"}, wrong, path)
        wrong = f"{path} holds other content than its stamp provides to later stages"
        checks.must(stage.provides(run) == made.provides, wrong, path)
        if checks.sound(path, paths.label_report_json):
            _label_report(paths, index, checks)
        return Stored(index, images, readable)
    return None


def _shard(
    path: Path, entry: ShardEntry, index: ShardIndex, seen: Mapping[Path, FileState], checks: Checks
) -> tuple[ShardReader, ShardContent] | None:
    """One shard of the index; None if it is not whole."""
    file = path.parent / entry.file
    if not checks.must(file in seen, f"{path} names {entry.file}, which is no output of the stage", path):
        return None
    found = seen[file]
    if not checks.sound(file) or not checks.must(found.shard is not None, found.damage, file):
        return None
    assert found.shard is not None and found.content is not None
    shard = found.shard
    ours = (found.sha256, shard.content_digest, len(shard), shard.fingerprint, shard.image_size)
    theirs = (entry.sha256, entry.digest, entry.count, index.shard_fingerprint, index.image_size)
    wrong = f"shard {file} is not the one that {path.name} names"
    good = checks.must((*ours, shard.labeler, shard.pose) == (*theirs, index.labeler, index.pose), wrong, file)
    return (shard, found.content) if good else None


def _split(
    path: Path,
    split: str,
    index: ShardIndex,
    contents: list[ShardContent],
    images: SplitImages,
    made: Stamp,
    checks: Checks,
) -> None:
    whole, entry = ShardContent(), index.splits[split]
    for content in contents:
        whole.extend(content)
    ours = (len(whole.items), whole.digest, whole.detection_digest, dict(whole.status))
    wrong = f"{path} gives another count, digest or status of split {split} than its shards"
    checks.must(ours == (entry.count, entry.digest, entry.detection_digest, entry.status), wrong, path)
    wrong = f"{path} gives another share of foreground in split {split} than its shards"
    checks.must(abs(whole.foreground_share - entry.foreground_share) <= CLOSE, wrong, path)
    checks.must(images.sorted, f"{path}: the names of split {split} are not sorted, or not unique", path)
    if split == "train":
        wrong = f"{path} gives other training persons than its shards"
        checks.must(list(index.pids) == np.unique(images.pids).tolist(), wrong, path)


def _label_report(paths: Paths, index: ShardIndex, checks: Checks) -> None:
    path = paths.label_report_json
    with checks.reading(path):
        report = read_label_report(path)
        wrong = f"{path} is of another run of the masks stage than {paths.shard_index.name}"
        checks.must(report.fingerprint == index.fingerprint, wrong, path)
        for split, statistics in report.splits.items():
            entry = index.splits[split]
            status = {name: count for name, count in statistics.status.items() if count}
            wrong = f"{path} counts other images of split {split} than {paths.shard_index.name}"
            checks.must((statistics.images, status) == (entry.count, entry.status), wrong, path)


def _images(shards: list[ShardReader]) -> tuple[SplitImages, SplitImages]:
    """Images of some shards in their order: all, and those that can be read."""
    every = SplitImages(
        Texts(name for shard in shards for name in shard.names),
        np.concatenate([shard.pid for shard in shards]),
        np.concatenate([shard.camid for shard in shards]),
    )
    readable = np.concatenate([shard.status != Status.UNREADABLE for shard in shards])
    if readable.all():
        return every, every
    names = Texts(name for name, good in zip(every.names, readable.tolist(), strict=True) if good)
    return every, SplitImages(names, every.pids[readable], every.camids[readable])
