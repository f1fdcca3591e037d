"""Weights that a finished training started from may be gone; nothing else may."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.runs import stamp
from pipeline.runs.command import RunCommand
from pipeline.runs.inputs import initial_weights
from pipeline.runs.layout import Paths
from pipeline.runs.lost_files import as_finished
from pipeline.runs.run import Run

LABELS = {"masks of train": "digest"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose training started from a file."""
    paths, init = Paths("synped_demo", "danet", Path("data"), tmp_path / "runs"), tmp_path / "resnet.pth"
    init.touch()
    command = RunCommand("synped_demo", "danet", "demo", init=str(init), runs=str(paths.runs))
    settings = {"train": {"init": initial_weights("train.init", str(init))}}
    for name, inputs, provides in (("masks", {}, {"train": "digest"}), ("train", LABELS, {})):
        folder = paths.folder(name)
        folder.mkdir(parents=True)
        (folder / "output").touch()
        stamp.write(folder, name, 3, inputs, settings, [folder / "output"], provides, command)
    init.unlink()
    return Run(paths, command)


def test_a_training_with_its_recorded_options_is_finished_without_the_file(run: Run) -> None:
    found = as_finished("train", 3, run)
    assert found is not None and found[0] == LABELS


def test_with_another_name_of_the_file_it_is_not(run: Run) -> None:
    assert as_finished("train", 3, run.asked_for("demo", (), "typo.pth", run.runtime)) is None


def test_what_is_stale_for_another_reason_is_not(run: Run) -> None:
    assert as_finished("train", 4, run) is None
    (run.paths.folder("train") / "output").write_text("other")
    assert as_finished("train", 3, run) is None


def test_other_labels_count(run: Run) -> None:
    stamp.write(run.paths.folder("masks"), "masks", 3, {}, {}, [], {"train": "other"}, run.command)
    assert as_finished("train", 3, run) is None
    stamp.write(run.paths.folder("masks"), "masks", 3, {}, {}, [], {}, run.command)
    assert as_finished("train", 3, run) is None


def test_a_stage_without_a_recorded_command_is_not(run: Run) -> None:
    stamp.write(run.paths.folder("train"), "train", 3, LABELS, {}, [], {})
    assert as_finished("train", 3, run) is None
    run.paths.stamp("train").unlink()
    assert as_finished("train", 3, run) is None
