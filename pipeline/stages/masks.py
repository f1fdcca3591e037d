"""Stage `masks`: labels and shards.

Reads the images of records.csv and labels body parts. Writes shards of images and part masks, their index and a report.
A finished shard is kept if it has the current fingerprint, matches its own digest, and has the marks and mended masks
that are wanted. Every other shard is written again, and replaces the old one when it is complete. Of n processes of
torchrun each takes every n-th shard. All of them must see the same file system. The index is written last; then shards
that it does not name are removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import labelers
from pipeline.errors import UserError, first_names
from pipeline.io.files import digest_json
from pipeline.labelers import keypoints
from pipeline.labelers.base import Labeler, Source
from pipeline.labelers.keypoints.base import KeypointFinder
from pipeline.labelers.shipped_danet import shipped_in_place
from pipeline.runs import stamp
from pipeline.runs.config import MasksConfig
from pipeline.runs.inputs import OUTSIDE, POSE, Input, as_stored
from pipeline.runs.run import Run
from pipeline.runtime import distributed
from pipeline.runtime.progress import Progress
from pipeline.shards.index import read_index, summary, write_index
from pipeline.shards.jobs import require_backend, write_all
from pipeline.shards.labeling import Labeling, ShardLabeler
from pipeline.shards.mending import Mending, unmended
from pipeline.shards.plan import STORED_SPLITS, ShardPlan

NAME = "masks"
VERSION = 3

UNREADABLE_LIMIT = 0.05  # a larger share means that the dataset is damaged, not single images
SHOWN = 5  # names of unreadable images in a message


@dataclass(frozen=True)
class WrittenShards:
    """Plan of the shards with those written, and the labeler.

    fingerprint: of the stage.
    """

    plan: ShardPlan
    labeler: ShardLabeler
    fingerprint: str


def settings(run: Run) -> Mapping[str, object]:
    masks, finder = run.config.masks, _finder(run)
    return {
        "labeler": _labeler(run).describe(),
        "pose": finder.describe() if finder else None,
        "image_size": list(masks.image_size),
        "splits": sorted(_labelled_splits(masks)),
        "shard_images": masks.shard_images,
    }


def inputs(run: Run) -> list[Input]:
    records = Input("data", "records", run.finished("data").provided("records"))
    splits, finder = _labelled_splits(run.config.masks), _finder(run)
    labelled = run.records.of_split(*splits)
    files = _labeler(run).inputs(labelled)
    if finder is not None:
        files = files | finder.inputs(run.records.of_split(*STORED_SPLITS))
    files = files | _mending(run).inputs(run.config.masks)
    return [records, *(Input(OUTSIDE, name, digest) for name, digest in files.items())]


def run(run: Run, fingerprint: str) -> WrittenShards:
    """Write the missing shards.

    Raises UserError for masks that cannot be used and for a full disk.
    """
    config, paths = run.config, run.paths
    require_backend(config.runtime.backend)
    mending, labels = _mending(run), _fingerprint_of_labels(run, fingerprint)
    plan = ShardPlan(paths, run.records, config.masks, labels, mending)
    work = Labeling.of(config, paths, _source(run), _labelled_splits(config.masks), labels, mending)
    labeler = ShardLabeler(work)
    if shipped := shipped_in_place(paths):
        distributed.say(f"masks: labels by {shipped.title}; {paths.dataset} has no split 'labeler' to train its own")
    own = plan.shards[distributed.here().number :: distributed.here().world]
    plan.link_finished(own)
    finished = plan.find_finished(own)
    if finished:
        distributed.say(f"masks: {finished} of {len(own)} shards are finished already")
    missing = plan.missing(own)
    plan.require_space(missing)
    labeler.prepare(plan.records)
    total, left = (sum(len(shard.records) for shard in shards) for shards in (own, missing))
    with Progress(total, "masks", done=total - left, quiet=distributed.here().number > 0) as shown:
        for path, content in write_all(labeler, missing, shown.advance):
            plan.contents[path] = content
    if labeler.effort.images:
        distributed.say(f"masks: {labeler.effort.sentence()}")
    return WrittenShards(plan, labeler, fingerprint)


def finish(run: Run, written: WrittenShards) -> Path:
    """Write index and label report, and remove surplus files.

    First the shards of other processes are verified. Raises UserError for missing shards, and for too many images that
    cannot be read.
    """
    from pipeline.reports.labels.build import write_label_report

    plan, paths = written.plan, run.paths
    plan.find_finished(plan.missing(plan.shards))
    lost = plan.missing(plan.shards)
    if lost:
        wrong = f"another process has written {lost[0].path}, but this process cannot see it"
        raise UserError(wrong, "All machines must see the same folder of runs: choose one with RUNS=.")
    unreadable = [name for shard in plan.shards for name in plan.contents[shard.path].unreadable]
    total = sum(len(shard.records) for shard in plan.shards)
    if len(unreadable) > UNREADABLE_LIMIT * total:
        remedy = f"Copy them again; see: sorn data check {paths.dataset}"
        raise UserError(f"{_some(unreadable, total)} cannot be read", remedy)
    if back := plan.readable_again():
        remedy = "Run the same command again: it writes their shards again, and keeps the others."
        raise UserError(f"{_some(back, total)} could not be read for a while, and can be now", remedy)
    index = plan.index(written.labeler.labeler.describe(), written.labeler.describe_pose(), written.fingerprint)
    write_index(paths.shard_index, index)
    plan.remove_surplus()
    distributed.say(f"masks: {paths.settled.folder(NAME)}: {summary(index)}")
    if unreadable:
        distributed.say(f"masks: {_some(unreadable, total)} cannot be read and will be left out")
    for sentence in plan.mending.sentences(run.config.masks):
        distributed.say(f"masks: {sentence}")
    write_label_report(run, plan.mending.marks)
    return paths.shard_index


def outputs(run: Run) -> list[Path]:
    paths = run.paths
    shards = [paths.folder(NAME) / entry.file for entry in read_index(paths.shard_index).shards]
    report = [paths.label_report_json, paths.label_report_md, *sorted(paths.label_pictures.glob("*"))]
    return [paths.shard_index, *shards, *report]


def provides(run: Run) -> dict[str, str]:
    """Digest of each split's content, and of all keypoints ("pose").

    The digests depend neither on the labeler nor on the borders of the shards. Without keypoints there is no "pose".
    """
    index = read_index(run.paths.shard_index)
    content = {split: entry.digest for split, entry in index.splits.items()}
    if index.pose is None:
        return content
    return content | {POSE: digest_json([[split, e.detection_digest] for split, e in index.splits.items()])}


def _source(run: Run) -> Source:
    """Dataset that is labelled. A DANet that ships takes the place of the one that it cannot train."""
    shipped = shipped_in_place(run.paths)
    checkpoint = shipped.require_sound().weights if shipped else run.paths.labeler_checkpoint
    return Source(run.manifest, run.root, checkpoint)


def _labeler(run: Run) -> Labeler:
    return labelers.create(run.paths.labeler, run.config.masks.options, _source(run))


def _mending(run: Run) -> Mending:
    splits = _labelled_splits(run.config.masks)
    return Mending.of(run.config.masks, run.records.of_split(*splits))


def _fingerprint_of_labels(run: Run, fingerprint: str) -> str:
    """Fingerprint without marks and mended masks: what the labels themselves are made from."""
    mending = _mending(run).inputs(run.config.masks)
    if not mending:
        return fingerprint
    labels = unmended(as_stored(NAME, inputs(run)), mending)
    return stamp.fingerprint(NAME, VERSION, labels, settings(run))


def _finder(run: Run) -> KeypointFinder | None:
    return keypoints.create(run.config.masks.keypoints, run.config.masks.keypoint_options, _source(run))


def _labelled_splits(masks: MasksConfig) -> set[str]:
    for split in masks.splits:
        if split not in STORED_SPLITS:
            raise UserError(f"masks.splits names '{split}', which is no split", f"Known: {', '.join(STORED_SPLITS)}.")
    return set(masks.splits)


def _some(names: list[str], total: int) -> str:
    return f"{len(names)} of {total} images ({first_names(names, SHOWN)})"
