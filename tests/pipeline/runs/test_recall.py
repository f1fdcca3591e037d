"""A run remembers its options: each stage those of its own sections, whatever became of the configuration file."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pipeline.runs import stamp
from pipeline.runs.command import RunCommand
from pipeline.runs.config import Config, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.recall import recall
from pipeline.runs.run import Run


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths("synped_demo", "import", Path("data"), tmp_path / "runs")


def finish(paths: Paths, stage: str, *sets: str, config: str = "demo", **fields: str) -> None:
    """Leave the stamp of a stage with the command that made it."""
    command = RunCommand("synped_demo", fields.pop("labeler", "import"), config, sets, **fields)  # type: ignore[arg-type]
    made = Run(paths, command).recorded
    paths.folder(stage).mkdir(parents=True, exist_ok=True)
    stamp.write(paths.folder(stage), stage, 1, {}, {}, [], {}, made)


def options(paths: Paths) -> Config:
    """Configuration of a command without options."""
    return Run.at(paths).as_it_was_made().config


def test_the_first_run_has_the_usual_options(paths: Paths) -> None:
    run = Run.at(paths).as_it_was_made()
    assert (run.config_name, run.command.set, run.recalled) == ("demo", (), "")


def test_stages_without_a_recorded_command_are_as_before(paths: Paths) -> None:
    for stage in ("masks", "train"):
        paths.folder(stage).mkdir(parents=True)
        stamp.write(paths.folder(stage), stage, 1, {}, {}, [], {})
    assert recall(paths, lambda: "demo") is None


def test_each_stage_remembers_the_options_of_its_own_sections(paths: Paths) -> None:
    finish(paths, "masks", "masks.image_size=[64,32]", "train.seed=9")
    finish(paths, "train", "masks.image_size=[64,32]", "train.seed=1", "eval.tau=0.9")
    finish(paths, "eval", "masks.image_size=[64,32]", "train.seed=1", "eval.tau=0.3")
    finish(paths, "masks", "masks.image_size=[96,32]", 'masks.options={table = "lip20"}')  # labelled again
    found = options(paths)
    assert (found.masks.image_size, found.masks.options) == ((96, 32), {"table": "lip20"})
    assert (found.train.seed, found.eval.tau) == (1, 0.3)


def test_a_stage_with_another_configuration(paths: Paths) -> None:
    finish(paths, "masks", config="paper")
    finish(paths, "train", config="demo", init="none")
    found = options(paths)
    assert found.masks.image_size == (384, 128) and found.schedule.epochs == Run.at(paths).config.schedule.epochs


def test_given_options_come_on_top_and_replace_those_of_their_name(paths: Paths) -> None:
    finish(paths, "train", "model.parts=2", "train.seed=1", init="none")
    made = Run.at(paths).as_it_was_made()
    more = made.asked_for("", ("model.stripes=6", "eval.tau=0.2"), None, Runtime()).command
    assert more.set == ("train.seed=1", "model.stripes=6", "eval.tau=0.2") and more.init == "none"
    assert made.asked_for("", ("train.init=imagenet",), None, Runtime()).config.train.init == "imagenet"
    assert made.asked_for("", (), "imagenet", Runtime()).config.train.init == "imagenet"
    other = made.asked_for("paper", ("train.seed=3",), None, Runtime())
    assert (other.command.set, other.command.init, other.config_name, other.recalled) == (
        ("train.seed=3",), None, "paper", "",
    )  # fmt: skip


def test_what_is_used_is_said_in_words_that_can_be_pasted(paths: Paths) -> None:
    finish(paths, "train", "eval.tau=0.2", "masks.options={a = 1}", init="my weights.pth")
    words = shlex.split(Run.at(paths).as_it_was_made().recalled)
    assert words[:2] == ["CONFIG=demo", "INIT=my weights.pth"]
    assert shlex.split(words[2].removeprefix("ARGS=")) == ["--set", "eval.tau=0.2", "--set", "masks.options={a = 1}"]


def test_a_new_experiment_has_the_options_of_its_run_and_then_its_own(paths: Paths) -> None:
    finish(paths, "masks", "masks.image_size=[64,32]")
    finish(paths, "train", "masks.image_size=[64,32]", "train.seed=1")
    small = Paths(paths.dataset, paths.labeler, paths.data_root, paths.runs, experiment="small")
    assert options(small).train.seed == 1
    finish(small, "train", "train.seed=7", config="paper")
    found = options(small)
    assert found.train.seed == 7 and found.masks.image_size == (64, 32), "labels belong to the run"


def test_the_labeler_belongs_to_a_dataset_and_its_options_to_runs_with_it(paths: Paths) -> None:
    finish(paths, "labeler", "danet.epochs=3", labeler="danet")
    assert recall(paths, lambda: "demo") is None
    danet = Paths(paths.dataset, "danet", paths.data_root, paths.runs)
    assert options(danet).danet.epochs == 3


def test_a_configuration_file_that_was_changed_or_is_gone(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "my own.toml"
    file.write_text('base = "demo"\n[train]\nseed = 5\n[masks.options]\n"two words" = "x"\n')
    finish(paths, "train", "eval.tau=0.3", config=str(file))
    made = Run.at(paths).as_it_was_made()
    assert made.command.config == str(file) and made.config.train.seed == 5
    for change in (
        lambda: file.write_text('base = "demo"\n[train]\nseed = 6\n'),
        lambda: file.write_text("["),
        file.unlink,
    ):
        change()
        made = Run.at(paths).as_it_was_made()
        assert made.config.train.seed == 5 and made.config.masks.options == {"two words": "x"}
        words = shlex.split(made.make("train"))
        (config,) = (word.removeprefix("CONFIG=") for word in words if word.startswith("CONFIG="))
        assert Run.at(paths).asked_for(config, ("eval.tau=0.3",), None, Runtime()).config == made.config
        again = made.recorded
        assert again.config == str(file) and again.config_text is not None and "seed = 5" in again.config_text


def test_a_configuration_file_on_top_of_another_is_recorded_whole(paths: Paths, tmp_path: Path) -> None:
    base, file = tmp_path / "base.toml", tmp_path / "mine.toml"
    base.write_text('base = "demo"\n[train]\nseed = 5\n[schedule]\nmilestones = [2, 3]\nepochs = 4\n')
    file.write_text(f'base = "{base}"\n[model]\nstripes = 2\n[masks.options]\ntable = "it\'s \\"new\\""\n')
    finish(paths, "train", config=str(file))
    before = options(paths)
    base.unlink()
    found = options(paths)
    assert found == before and found.train.seed == 5 and found.schedule.milestones == (2, 3)
    assert found.masks.options == {"table": 'it\'s "new"'} and found.model.stripes == 2


def test_a_damaged_stamp_is_passed_over(paths: Paths) -> None:
    finish(paths, "masks", "train.seed=1")
    finish(paths, "train", "train.seed=2")
    paths.stamp("train").write_text("{")
    assert options(paths).train.seed == 1
