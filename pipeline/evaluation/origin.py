"""Origin of an evaluation: dataset, labels, training and command, for its report."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.summary import read_summary
from pipeline.evaluation.label_report import read_label_report
from pipeline.evaluation.report import TrainingLabels
from pipeline.runs import stamp
from pipeline.runs.config import Config, EvalConfig, as_json, read_model
from pipeline.runs.layout import Paths
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


def read_origin(config: Config, paths: Paths, manifest: Manifest, training: dict[str, Any]) -> Origin:
    """Reads summary.json, labels.json and stamps. training: config.json of the checkpoint."""
    summary = read_summary(paths.data_summary, paths.dataset)
    stamps = {name: stamp.read(paths.folder(name)) for name in ("data", "masks", "train")}
    train = stamps["train"]
    return Origin(
        manifest,
        tuple(finding["wrong"] for finding in summary["findings"] if finding["level"] == "warning"),
        training_labels(paths),
        read_model(training["model"]),
        training,
        paths.trained_on or paths.run_name,
        command(config, paths),
        {name: found.fingerprint for name, found in stamps.items() if found},
        train.versions if train else {},
    )


def training_labels(paths: Paths) -> TrainingLabels | None:
    """Of the labels that the network was trained on, if they are of this run and their report can be read."""
    if paths.trained_on:
        return None
    try:
        found = read_label_report(paths.label_report_json)
    except (OSError, ValueError):
        return None
    return TrainingLabels(found.labeler, found.total)


def command(config: Config, paths: Paths) -> str:
    """What makes this report again, as the user would type it: the options of the stage that are not their defaults."""
    words = ["make eval", f"DATASET={shlex.quote(paths.dataset)}", f"LABELER={paths.labeler}"]
    if paths.trained_on:
        words.append(f"TRAINED_ON={shlex.quote(paths.trained_on)}")
    usual = as_json(EvalConfig())
    chosen = {key: value for key, value in as_json(config.eval).items() if value != usual[key]}
    options = [shlex.quote(f"eval.{key}={_value(value)}") for key, value in chosen.items()]
    if options:
        words.append("ARGS=" + shlex.quote(" ".join(f"--set {option}" for option in options)))
    return " ".join(words)


def _value(value: object) -> str:
    """As --set reads it: a string as it is."""
    return value if isinstance(value, str) else json.dumps(value)
