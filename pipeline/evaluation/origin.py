"""Origin of an evaluation: dataset, labels, training and command, for its report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.datasets.leaks import leaks, trained_on
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import Finding, IdNames
from pipeline.datasets.summary import DataSummary
from pipeline.errors import UserError
from pipeline.evaluation.label_report import read_label_report
from pipeline.evaluation.report import TrainingLabels
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.find import place_of
from pipeline.runs.layout import INDEX, Paths
from pipeline.runs.run import Run
from pipeline.shards.index import read_index
from sorn.config import SORNConfig
from sorn.sample import Status


@dataclass(frozen=True)
class Origin:
    """What an evaluation was made from, beside feature banks and shards.

    records: all images of the dataset. findings: warnings of the data stage, and of files on two sides of the
    evaluation. names: identities and cameras as they are written. labels: those the network was trained on,
    None where they are of another run. training: config.json of the checkpoint. trained_on: name of its run.
    trained_dataset: name of the dataset of its run. training_images: their number, None where it is unknown. command:
    what makes the evaluation again. stamps: stage -> fingerprint. versions: package -> version, of the training.
    """

    manifest: Manifest
    records: RecordTable
    findings: tuple[Finding, ...]
    labels: TrainingLabels | None
    model: SORNConfig
    training: dict[str, object]
    trained_on: str
    trained_dataset: str
    training_images: int | None
    command: str
    stamps: dict[str, str]
    versions: dict[str, str]
    names: IdNames = field(default_factory=IdNames)


def read_origin(run: Run, trained: CheckpointInfo) -> Origin:
    """Reads summary.json, labels.json and stamps, and the index of the training's shards."""
    paths, place = run.paths, place_of(run.paths.folder("train"))
    stamps = {name: run.stamp(name) for name in ("data", "masks", "train")}
    train, source = stamps["train"], _source(run, trained)
    return Origin(
        run.manifest,
        run.records,
        tuple(dict.fromkeys((*_warned(run.summary), *_leaks(run, source)))),
        training_labels(paths),
        trained.model,
        _document(trained, source.names),
        paths.trained_on or paths.run_name,
        trained.dataset or place.name.rpartition("-")[0],
        _training_images(place.runs / place.name / "masks" / INDEX),
        run.command.make("eval"),
        {name: found.fingerprint for name, found in stamps.items() if found},
        train.versions if train else {},
        run.names,
    )


def _training_images(index: Path) -> int | None:
    """Number of readable training images in shards; None where there are none."""
    try:
        train = read_index(index).splits.get("train")
    except UserError:
        return None
    return train.count - train.status.get(Status.UNREADABLE.name.lower(), 0) if train else None


def _source(run: Run, trained: CheckpointInfo) -> Run:
    """Run of the training, for its data; this one unless its checkpoint is of another."""
    if not run.paths.trained_on:
        return run
    return Run.at(replace(run.paths, dataset=trained.dataset, name=trained.dataset, trained_on=None, experiment=""))


def _document(trained: CheckpointInfo, names: IdNames) -> dict[str, object]:
    """config.json of a training, with its identities as they are written where they are no numbers."""
    document = dict(trained.document)
    if names.pids and trained.pids:
        document["pids"] = [names.person(pid) for pid in trained.pids]
    return document


def _warned(summary: DataSummary) -> list[Finding]:
    return [finding for finding in summary.findings if finding.level == "warning"]


def _leaks(run: Run, source: Run) -> list[Finding]:
    """Files on two sides of the evaluation; also those that another run was trained on, while its data is known."""
    found = leaks(run.records)
    if source is run:
        return found
    try:
        training = source.records
    except UserError:
        return found
    return found + trained_on(run.records, run.paths.trained_on or "", training)


def training_labels(paths: Paths) -> TrainingLabels | None:
    """Quality of the labels that the network was trained on.

    None where they are of another run, or their report cannot be read.
    """
    if paths.trained_on:
        return None
    try:
        found = read_label_report(paths.label_report_json)
    except (OSError, ValueError):
        return None
    return TrainingLabels(found.labeler, found.total)
