"""What a report says of its own making: the command reads back as the same options."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest
from sample_report import label_report

from pipeline.evaluation.origin import command, training_labels
from pipeline.evaluation.report import TrainingLabels
from pipeline.io.files import write_json
from pipeline.runs.config import Config, EvalConfig
from pipeline.runs.config_loading import load_config
from pipeline.runs.layout import Paths

PATHS = Paths("market1501", "danet", Path("data"), Path("runs"))


@pytest.mark.parametrize(
    "options",
    [
        EvalConfig(),
        EvalConfig(tau=0.25, tau_sweep=(0.0, 0.5), rerank=True, protocol="single_shot", shots=1),
        EvalConfig(visibility="segmenter", segmenter="my 'old' runs/a $b/train"),
    ],
)
def test_the_command_reads_back_as_the_same_options(options: EvalConfig) -> None:
    words = shlex.split(command(Config(eval=options), PATHS))
    assert words[:4] == ["make", "eval", "DATASET=market1501", "LABELER=danet"]
    arguments = shlex.split(words[4].removeprefix("ARGS=")) if len(words) > 4 else []
    assert arguments[::2] == ["--set"] * (len(arguments) // 2)
    assert load_config("paper", tuple(arguments[1::2])).eval == options


def test_the_command_names_a_foreign_checkpoint_and_quotes_a_path() -> None:
    paths = dataclasses.replace(PATHS, dataset="my images.csv", trained_on="synped-danet")
    words = shlex.split(command(Config(), paths))
    assert words == ["make", "eval", "DATASET=my images.csv", "LABELER=danet", "TRAINED_ON=synped-danet"]


def test_labels_of_this_run_say_nothing_about_a_foreign_network(tmp_path: Path) -> None:
    paths = dataclasses.replace(PATHS, runs=tmp_path)
    assert training_labels(paths) is None
    report = label_report()
    write_json(paths.label_report_json, report.to_json())
    assert training_labels(paths) == TrainingLabels(report.labeler, report.total)
    assert training_labels(dataclasses.replace(paths, trained_on="synped-danet")) is None
    paths.label_report_json.write_text("{")
    assert training_labels(paths) is None
