"""Stage 1, masks: reads the images of records.csv, labels body parts, writes shards of both, their index and a report.

A shard is the unit of resuming and of sharing work: one that carries today's fingerprint and matches its own digest is
kept, every other is written anew and replaces the old one when it is whole. Ranks of torchrun take every n-th shard and
need a file system that all of them see. The index is written last; then shards it does not name go.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline import labelers
from pipeline.datasets.manifest import load_manifest
from pipeline.datasets.records import read_records
from pipeline.datasets.summary import read_summary
from pipeline.errors import UserError
from pipeline.io.files import digest_json
from pipeline.labelers import keypoints
from pipeline.labelers.base import Labeler, Source
from pipeline.labelers.keypoints.base import KeypointFinder
from pipeline.reports.labels.build import write_label_report
from pipeline.runs import stamp
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed
from pipeline.runtime.progress import Progress
from pipeline.shards.index import read_index, summary, write_index
from pipeline.shards.jobs import require_backend, write_all
from pipeline.shards.labeling import Labeling, ShardLabeler
from pipeline.shards.plan import STORED_SPLITS, ShardPlan

NAME = "masks"
VERSION = 3

UNREADABLE_LIMIT = 0.05  # above this share something is wrong with the dataset, not with an image
SHOWN = 5  # names of unreadable images in a message


def settings(config: Config, paths: Paths) -> dict[str, Any]:
    masks, finder = config.masks, _finder(config, paths)
    return {
        "labeler": _labeler(config, paths).describe(),
        "pose": finder.describe() if finder else None,
        "image_size": list(masks.image_size),
        "splits": sorted(_labelled_splits(config)),
        "shard_images": masks.shard_images,
    }


def inputs(config: Config, paths: Paths) -> dict[str, str]:
    before = stamp.read(paths.folder("data"))
    if before is None:
        wrong = f"the data stage has not finished in {paths.folder('data')}"
        raise UserError(wrong, f"Run: make data DATASET={paths.dataset}")
    records, splits = read_records(paths.records, paths.dataset), _labelled_splits(config)
    found = {"records": before.provided("records")}
    found |= _labeler(config, paths).inputs([record for record in records if record.split in splits])
    finder = _finder(config, paths)
    if finder is not None:
        found |= finder.inputs([record for record in records if record.split in STORED_SPLITS])
    return found


def run(config: Config, paths: Paths, fingerprint: str) -> Path:
    """Write the shards that are missing, then the index. Raises UserError for bad images or masks or a full disk."""
    require_backend(config.runtime.backend)
    plan = ShardPlan(paths, read_records(paths.records, paths.dataset), config.masks, fingerprint)
    labeler = ShardLabeler(Labeling.of(config, paths, _source(paths), _labelled_splits(config), fingerprint))
    own = plan.shards[distributed.here().number :: distributed.here().world]
    labeler.prepare(plan.records(set(STORED_SPLITS)))
    finished = plan.find_finished(own)
    if finished:
        distributed.say(f"masks: {finished} of {len(own)} shards are finished already")
    missing = plan.missing(own)
    plan.require_space(missing)
    total, left = (sum(len(shard.records) for shard in shards) for shards in (own, missing))
    with Progress(total, "masks", done=total - left, quiet=distributed.here().number > 0) as shown:
        for path, content in write_all(labeler, missing, shown.advance):
            plan.contents[path] = content
    distributed.meet()
    distributed.leave()
    if distributed.here().number == 0:
        _finish(config, paths, plan, labeler)
    return paths.shard_index


def outputs(paths: Paths) -> list[Path]:
    folder = paths.folder(NAME)
    report = [paths.label_report_json, paths.label_report_md, *sorted(paths.label_pictures.glob("*"))]
    return [paths.shard_index, *(folder / entry.file for entry in read_index(paths.shard_index).shards), *report]


def provides(paths: Paths) -> dict[str, str]:
    """split -> digest of its content, whatever labelled it and wherever the shards are cut; the same of all keypoints
    as "pose", if anybody looked for them.
    """
    index = read_index(paths.shard_index)
    content = {split: entry.digest for split, entry in index.splits.items()}
    if index.pose is None:
        return content
    return content | {"pose": digest_json([[split, e.detection_digest] for split, e in index.splits.items()])}


def _source(paths: Paths) -> Source:
    return Source(
        load_manifest(paths.dataset),
        Path(read_summary(paths.data_summary, paths.dataset)["root"]),
        paths.labeler_checkpoint,
    )


def _labeler(config: Config, paths: Paths) -> Labeler:
    return labelers.create(paths.labeler, config.masks.options, _source(paths))


def _finder(config: Config, paths: Paths) -> KeypointFinder | None:
    return keypoints.create(config.masks.keypoints, config.masks.keypoint_options, _source(paths))


def _labelled_splits(config: Config) -> set[str]:
    for split in config.masks.splits:
        if split not in STORED_SPLITS:
            raise UserError(f"masks.splits names '{split}', which is no split", f"Known: {', '.join(STORED_SPLITS)}.")
    return set(config.masks.splits)


def _finish(config: Config, paths: Paths, plan: ShardPlan, labeler: ShardLabeler) -> None:
    """What follows the last shard: verify those of other ranks, then index, report, and no more surplus files."""
    plan.find_finished(plan.missing(plan.shards))
    lost = plan.missing(plan.shards)
    if lost:
        wrong = f"another rank has written {lost[0].path}, but it is not here"
        raise UserError(wrong, "All machines must see the same folder of runs: choose one with RUNS=.")
    unreadable = [name for shard in plan.shards for name in plan.contents[shard.path].unreadable]
    total = sum(len(shard.records) for shard in plan.shards)
    if len(unreadable) > UNREADABLE_LIMIT * total:
        remedy = f"Copy them again; see: sorn data check {paths.dataset}"
        raise UserError(f"{_some(unreadable, total)} cannot be read", remedy)
    if back := plan.readable_again():
        remedy = "Run the same command again: it writes their shards anew, and keeps the others."
        raise UserError(f"{_some(back, total)} could not be read for a while, and can be now", remedy)
    index = plan.index(labeler.labeler.describe(), labeler.describe_pose())
    write_index(paths.shard_index, index)
    plan.remove_surplus()
    distributed.say(f"masks: {paths.folder(NAME)}: {summary(index)}")
    if unreadable:
        distributed.say(f"masks: {_some(unreadable, total)} cannot be read and will be left out")
    write_label_report(config, paths)


def _some(names: list[str], total: int) -> str:
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} of {total} images ({', '.join(names[:SHOWN])}{more})"
