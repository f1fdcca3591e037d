"""Finished labels and trainings with other options are replaced only if it is asked for by name."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.runs.command import RunCommand
from pipeline.runs.config import Runtime
from pipeline.runs.consent import RELABEL, RETRAIN
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.stored_options import as_json
from pipeline.stages import driver

WEIGHTS = {"masks": "train/shard-00000.h5", "train": "model.safetensors", "labeler": "danet.safetensors"}


class FakeStage(SimpleNamespace):
    """A stage that writes one file; its settings are those of the real one, as far as options go."""

    def settings(self, run: Run) -> dict[str, Any]:
        config = run.config
        if self.NAME == "train":
            return {name: as_json(getattr(config, name)) for name in ("model", "loss", "schedule", "train")}
        if self.NAME == "labeler":
            return as_json(config.danet)
        made = {"name": run.paths.labeler, "version": self.labeler_version, "options": dict(config.masks.options)}
        made["weights"] = self.weights
        pose = None if config.masks.keypoints == "none" else {"name": config.masks.keypoints, "version": 1}
        return {"labeler": made, "pose": pose, "image_size": list(config.masks.image_size)}

    def inputs(self, run: Run) -> list[Any]:
        return []

    def run(self, run: Run, fingerprint: str) -> Path:
        path = run.paths.folder(self.NAME) / WEIGHTS[self.NAME]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fingerprint)
        return path

    def finish(self, run: Run, result: Path) -> Path:
        return result

    def outputs(self, run: Run) -> list[Path]:
        return [run.paths.folder(self.NAME) / WEIGHTS[self.NAME]]

    def provides(self, run: Run) -> dict[str, str]:
        return {}


def stage(name: str, version: int = 1, labeler_version: int = 1, weights: str = "a" * 64) -> FakeStage:
    return FakeStage(NAME=name, VERSION=version, labeler_version=labeler_version, weights=weights)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths("synped_demo", "import", tmp_path / "data", tmp_path / "runs")


def named(paths: Paths, *sets: str, config: str = "demo", **fields: Any) -> Run:
    """Run as the command line names it."""
    consent = frozenset(fields.pop("consent", ()))
    command = RunCommand("synped_demo", "import", config, sets, data_root=str(paths.data_root), runs=str(paths.runs))
    return Run(paths, dataclasses.replace(command, **fields), consent=consent)


def execute(made: FakeStage, run: Run, force: bool = False) -> Path | None:
    with pytest.MonkeyPatch.context() as patch:  # the stages before are none of this test
        patch.setattr(driver, "_require_fresh_input", lambda *_: None)
        return driver.execute({made.NAME: made}, made.NAME, run, force)  # type: ignore[dict-item]


def refused(made: FakeStage, run: Run) -> UserError:
    with pytest.raises(UserError) as caught:
        execute(made, run)
    state = driver.state(made, run)  # type: ignore[arg-type]
    assert (state.refused, state.remedy) == (caught.value.wrong, caught.value.remedy)
    return caught.value


def lines(error: UserError) -> list[list[str]]:
    """Words of the commands of a remedy."""
    return [shlex.split(part.partition(": ")[2]) for part in error.remedy.split("; ")]


def test_a_training_with_other_options_is_refused_with_what_differs_and_the_ways_on(paths: Paths) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    before = (paths.checkpoint.read_bytes(), paths.stamp("train").read_bytes())
    error = refused(train, named(paths, "train.seed=2", "schedule.epochs=9"))
    epochs = named(paths).config.schedule.epochs
    assert f"{paths.folder('train')} is finished, with other options" in error.wrong
    assert f"option schedule.epochs changed: {epochs} -> 9; option train.seed changed: 1 -> 2" in error.wrong
    anew, beside, kept = lines(error)
    assert anew[-3:] == [
        "ARGS=--set train.seed=2 --set schedule.epochs=9 --retrain",
        f"DATA_ROOT={paths.data_root}", f"RUNS={paths.runs}",
    ]  # fmt: skip
    assert "EXPERIMENT=demo" in beside and "ARGS=--set train.seed=2 --set schedule.epochs=9" in beside
    assert f"ARGS=--set schedule.epochs={epochs} --set train.seed=1" in kept
    assert (paths.checkpoint.read_bytes(), paths.stamp("train").read_bytes()) == before
    assert execute(train, named(paths, "train.seed=1")) is None


@pytest.mark.parametrize("way", ["asked", "forced", "experiment", "kept"])
def test_every_way_on_goes_on(paths: Paths, way: str) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    before = paths.checkpoint.read_bytes()
    other = dataclasses.replace(paths, experiment="seed-2") if way == "experiment" else paths
    seed = "train.seed=1" if way == "kept" else "train.seed=2"
    done = execute(train, named(other, seed, consent=[RETRAIN] if way == "asked" else []), force=way == "forced")
    assert (done is None) == (way == "kept")
    assert (paths.checkpoint.read_bytes() == before) == (way in ("experiment", "kept"))


def test_recorded_options_make_the_third_way_a_command_without_any(paths: Paths) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    made = Run.at(paths).as_it_was_made()
    assert execute(train, made) is None
    *_, kept = lines(refused(train, made.asked_for("", ("train.seed=2",), None, Runtime())))
    assert kept == ["make", "train", "DATASET=synped_demo", "LABELER=import", f"DATA_ROOT={paths.data_root}", f"RUNS={paths.runs}"]  # fmt: skip # noqa: E501


def test_labels_are_not_made_anew_because_of_a_configuration(paths: Paths) -> None:
    masks = stage("masks")
    execute(masks, named(paths))
    error = refused(masks, named(paths, config="paper", consent=[RETRAIN]))
    assert "option image_size changed: [288, 96] -> [384, 128]" in error.wrong
    anew, beside, kept = lines(error)
    assert "ARGS=--relabel --retrain" in anew
    assert f"RUNS={paths.runs}-image_size-384-128" in beside
    assert "CONFIG=paper" in kept and "ARGS=--set 'masks.image_size=[288,96]'" in kept
    assert execute(masks, named(paths, "masks.image_size=[288,96]", config="paper")) is None
    assert execute(masks, named(paths, config="paper", consent=[RELABEL])) is not None


def test_what_no_option_has_changed_runs_as_ever(paths: Paths, tmp_path: Path) -> None:
    execute(stage("masks"), named(paths))
    assert execute(stage("masks", labeler_version=2), named(paths)) is not None
    assert execute(stage("masks", version=2), named(paths, config="paper")) is not None
    weights = "masks.options={weights = 'w.pth'}"
    execute(stage("masks"), named(paths, weights, consent=[RELABEL]))
    assert execute(stage("masks", weights="b" * 64), named(paths, weights)) is not None, "the file has changed"
    assert "option labeler.weights changed" in refused(
        stage("masks", weights="c" * 64), named(paths, "masks.options={weights = 'v.pth'}")
    ).wrong  # fmt: skip


def test_keypoints_are_added_when_they_are_named_and_not_taken_away(paths: Paths) -> None:
    masks = stage("masks")
    execute(masks, named(paths))
    assert execute(masks, named(paths, "masks.keypoints=joints")) is not None
    *_, kept = lines(refused(masks, named(paths)))
    assert "ARGS=--set masks.keypoints=joints" in kept


def test_the_trained_labeler_is_a_training_too(paths: Paths) -> None:
    labeler = stage("labeler")
    execute(labeler, named(paths, "danet.epochs=2"))
    error = refused(labeler, named(paths, "danet.epochs=3"))
    assert "option epochs changed: 2 -> 3" in error.wrong
    anew, beside, kept = lines(error)
    assert "ARGS=--set danet.epochs=3 --retrain" in anew and f"RUNS={paths.runs}-epochs-3" in beside
    assert "ARGS=--set danet.epochs=2" in kept


def test_what_is_lost_needs_no_consent(paths: Paths) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    paths.checkpoint.unlink()
    assert execute(train, named(paths, "train.seed=2")) is not None


def test_a_stamp_of_an_older_build_is_as_good_as_one_with_a_command(paths: Paths) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    record = json.loads(paths.stamp("train").read_text())
    del record["command"]
    paths.stamp("train").write_text(json.dumps(record))
    *_, kept = lines(refused(train, named(paths, "train.seed=2")))
    assert "ARGS=--set train.seed=1" in kept
    assert execute(train, named(paths, "train.seed=1")) is None


def test_the_next_stage_says_the_same(paths: Paths) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    stages = {"train": train, "eval": FakeStage(NAME="eval", VERSION=1)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "chain", lambda run: ("train", "eval"))
        with pytest.raises(
            UserError, match=r"eval needs a fresh train stage, but .*option train.seed changed: 1 -> 2.*--retrain"
        ):
            driver.execute(stages, "eval", named(paths, "train.seed=2"))  # type: ignore[arg-type]


def test_a_name_for_the_other_training_that_is_free(paths: Paths) -> None:
    train = stage("train")
    execute(train, named(paths, "train.seed=1"))
    for taken in ("seed-2", "seed-2-2"):
        dataclasses.replace(paths, experiment=taken).folder("train").mkdir(parents=True)
    assert "EXPERIMENT=seed-2-3" in lines(refused(train, named(paths, "train.seed=2")))[1]


def test_another_training_is_named_after_the_weights_that_it_starts_from(paths: Paths) -> None:
    execute(stage("train"), named(paths))
    with pytest.raises(UserError, match=r"option train.init changed.* EXPERIMENT=init-my-resnet50 "):
        execute(stage("train"), named(paths, init="weights/my resnet50.pth.tar"))
