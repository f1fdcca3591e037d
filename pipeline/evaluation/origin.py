"""Origin of an evaluation: dataset, labels, training and command, for its report."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.datasets.leaks import leaks, trained_on
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import IdNames
from pipeline.errors import UserError
from pipeline.evaluation.label_report import read_label_report
from pipeline.evaluation.report import TrainingLabels
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.command import RUNS
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from sorn.config import SORNConfig


@dataclass(frozen=True)
class Origin:
    """What an evaluation was made from, beside feature banks and shards.

    warnings: of the data stage. names: identities and cameras as they are written. labels: those the network was
    trained on, None where they are of another run. training: config.json of the checkpoint. trained_on: name of its
    run. command: what makes the evaluation again. stamps: stage -> fingerprint. versions: package -> version, of the
    training.
    """

    manifest: Manifest
    warnings: tuple[str, ...]
    labels: TrainingLabels | None
    model: SORNConfig
    training: dict[str, object]
    trained_on: str
    command: str
    stamps: dict[str, str]
    versions: dict[str, str]
    names: IdNames


def read_origin(run: Run, trained: CheckpointInfo) -> Origin:
    """Reads summary.json, labels.json and stamps."""
    paths = run.paths
    stamps = {name: run.stamp(name) for name in ("data", "masks", "train")}
    train, source = stamps["train"], _source(run, trained)
    return Origin(
        run.manifest,
        tuple(dict.fromkeys((*run.summary.warnings, *_leaks(run, source)))),
        training_labels(paths),
        trained.model,
        _document(trained, source.names),
        paths.trained_on or paths.run_name,
        replace(run.command, runs=RUNS).make("eval"),  # a report says the same wherever its run lies
        {name: found.fingerprint for name, found in stamps.items() if found},
        train.versions if train else {},
        run.names,
    )


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


def _leaks(run: Run, source: Run) -> list[str]:
    """Files on two sides of the evaluation; also those that another run was trained on, while its data is known."""
    images = [(record, file.sha256) for record, file in run.rows]
    found = [finding.wrong for finding in leaks(images)]
    if source is run:
        return found
    try:
        training = [(record, file.sha256) for record, file in source.rows]
    except UserError:
        return found
    return found + trained_on(images, run.paths.trained_on or "", training)


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
