"""Origin of an evaluation: dataset, labels, training and command, for its report."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.datasets.manifest import Manifest
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

    warnings: of the data stage. labels: those the network was trained on, None where they are of another run.
    training: config.json of the checkpoint. trained_on: name of its run. command: what makes the evaluation again.
    stamps: stage -> fingerprint. versions: package -> version, of the training.
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


def read_origin(run: Run, trained: CheckpointInfo) -> Origin:
    """Reads summary.json, labels.json and stamps."""
    paths = run.paths
    stamps = {name: run.stamp(name) for name in ("data", "masks", "train")}
    train = stamps["train"]
    return Origin(
        run.manifest,
        run.summary.warnings,
        training_labels(paths),
        trained.model,
        dict(trained.document),
        paths.trained_on or paths.run_name,
        replace(run.command, runs=RUNS).make("eval"),  # a report says the same wherever its run lies
        {name: found.fingerprint for name, found in stamps.items() if found},
        train.versions if train else {},
    )


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
