"""The driver, on stages made of a few lines: when it runs one, when it refuses, and what it leaves behind."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import UserError
from pipeline.runs.config import Config, MasksConfig
from pipeline.runs.inputs import OUTSIDE, Input
from pipeline.runs.layout import Paths
from pipeline.runs.run import STAGES, Run
from pipeline.runtime import distributed
from pipeline.stages import driver
from pipeline.tools.clean import clean


def stage(name: str, work, before: str | None = None) -> SimpleNamespace:
    """A stage that writes out.txt with what `work` gives and hands its text on."""

    def output(paths: Paths) -> Path:
        return paths.folder(name) / "out.txt"

    def run(run: Run, fingerprint: str) -> Path:
        output(run.paths).parent.mkdir(parents=True, exist_ok=True)
        output(run.paths).write_text(work())
        return output(run.paths)

    def inputs(run: Run) -> list[Input]:
        return [Input(OUTSIDE, "text", (run.paths.folder(before) / "out.txt").read_text())] if before else []

    return SimpleNamespace(
        NAME=name,
        VERSION=1,
        settings=lambda run: {"tau": run.config.eval.tau} if name == "masks" else {},
        inputs=inputs,
        run=run,
        finish=lambda run, main: main,
        outputs=lambda run: [output(run.paths)],
        provides=lambda run: {"text": output(run.paths).read_text()},
    )


@pytest.fixture
def paths(tmp_path) -> Paths:
    return Paths("mine", "import", tmp_path / "data", tmp_path / "runs")


@pytest.fixture
def stages():
    return {"data": stage("data", lambda: "images"), "masks": stage("masks", lambda: "masks", "data")}


def execute(stages, name, paths, **options):
    return driver.execute(stages, name, Run.of(Config(), paths), **options)


def test_a_stage_runs_once_and_again_only_when_forced(stages, paths):
    assert execute(stages, "data", paths) == paths.folder("data") / "out.txt"
    assert execute(stages, "data", paths) is None
    assert execute(stages, "data", paths, force=True)


def test_a_stage_refuses_a_missing_or_stale_one_before_it(stages, paths):
    with pytest.raises(UserError, match=r"masks needs a fresh data stage.*never finished.*make data DATASET=mine"):
        execute(stages, "masks", paths)
    execute(stages, "data", paths)
    assert execute(stages, "masks", paths)
    (paths.folder("data") / "out.txt").write_text("other images")
    with pytest.raises(UserError, match=r"output out\.txt was changed"):
        execute(stages, "masks", paths)


def test_a_stage_that_fails_leaves_no_stamp_of_its_own_and_what_was_finished(stages, paths):
    execute(stages, "data", paths)

    def fails() -> str:
        raise UserError("nothing in 'there'", "Put something into it.")

    stages["data"] = stage("data", fails)
    with pytest.raises(UserError, match="nothing in 'there'"):
        execute(stages, "data", paths, force=True)
    assert driver.state(stages["data"], Run.of(Config(), paths)).reasons == []
    paths.stamp("data").unlink()
    with pytest.raises(UserError, match="nothing in 'there'"):
        execute(stages, "data", paths)
    assert driver.state(stages["data"], Run.of(Config(), paths)).reasons == ["never finished"]


def test_a_stamp_that_is_a_folder_is_a_reason_with_a_remedy(stages, paths):
    paths.stamp("data").mkdir(parents=True)
    found = driver.state(stages["data"], Run.of(Config(), paths))
    assert found.reasons == [f"{paths.stamp('data')} cannot be read: Is a directory"]
    assert f"remove {paths.stamp('data')}" in found.remedy
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        execute(stages, "masks", paths)


def test_a_full_disk_is_one_sentence_with_the_folder_and_the_command(stages, paths):
    def full() -> str:
        raise OSError(errno.ENOSPC, "No space left on device", "/disk/shard")

    stages["data"] = stage("data", full)
    with pytest.raises(UserError, match=r"could not read or write /disk/shard: No space left.*has room.*make data"):
        execute(stages, "data", paths)
    assert not paths.stamp("data").exists()


def as_process(monkeypatch, number: int, others_say: list[str] | None = None) -> list[object]:
    """Two processes, of which this is one and the other has nothing to say but `others_say`; what this one tells it."""
    told: list[object] = []

    def meet(failure=None, value=None):
        told.append(failure or value)
        return value if number == 0 else others_say

    monkeypatch.setattr(distributed, "here", lambda: distributed.Process(number, 2, number, 2))
    monkeypatch.setattr(distributed, "join", lambda device="auto": told.append("joined"))
    monkeypatch.setattr(distributed, "leave", lambda: told.append("left"))
    monkeypatch.setattr(distributed, "meet", meet)
    return told


def test_process_0_decides_stamps_and_speaks(stages, paths, monkeypatch, capsys):
    execute(stages, "data", paths)
    capsys.readouterr()
    told = as_process(monkeypatch, 0)
    assert execute(stages, "masks", paths)
    assert told == ["joined", ["never finished"], None, "left"] and paths.stamp("masks").exists()
    assert "masks: never finished" in capsys.readouterr().out

    stamped = paths.stamp("masks").read_bytes()
    told = as_process(monkeypatch, 1, ["option tau changed"])
    assert execute(stages, "masks", paths), "process 0 has looked, whatever this one sees"
    assert told == ["joined", None, None, "left"] and paths.stamp("masks").read_bytes() == stamped
    assert capsys.readouterr().out.startswith("masks: process 1 has done its share")

    as_process(monkeypatch, 1, [])
    assert execute(stages, "masks", paths) is None and capsys.readouterr().out == ""


def test_what_a_process_cannot_do_is_told_to_the_others(stages, paths, monkeypatch):
    execute(stages, "data", paths)

    def fails() -> str:
        raise UserError("nothing in 'there'", "Put something into it.")

    stages["masks"] = stage("masks", fails, "data")
    told = as_process(monkeypatch, 1, ["never finished"])
    with pytest.raises(UserError, match="nothing in 'there'"):
        execute(stages, "masks", paths)
    assert isinstance(told[2], UserError) and told[3] == "left"
    with pytest.raises(UserError, match=r"data cannot be divided between 2 processes.*Run: make data DATASET=mine"):
        execute(stages, "data", paths)


def test_a_checkpoint_from_elsewhere_leaves_nothing_to_train_and_gets_its_own_folder(tmp_path):
    paths = Paths("mine", "none", tmp_path / "data", tmp_path / "runs", trained_on="market1501-import")
    assert driver.chain(Run.of(Config(), paths)) == ("data", "masks", "eval")
    assert paths.checkpoint == tmp_path / "runs/market1501-import/train/model.safetensors"
    assert paths.folder("eval") == tmp_path / "runs/mine-none/eval-from-market1501-import"
    assert (
        Run.of(Config(), paths)
        .make("eval")
        .startswith("make eval DATASET=mine LABELER=none TRAINED_ON=market1501-import ")
    )
    for folder in ("mine-none/masks", "market1501-import/train"):
        (tmp_path / "runs" / folder).mkdir(parents=True)
    clean(Run.of(Config(), paths))
    assert not (tmp_path / "runs/mine-none").exists() and (tmp_path / "runs/market1501-import/train").exists()


def test_an_experiment_has_a_training_and_an_evaluation_of_its_own_and_clean_takes_those_alone(tmp_path):
    run = tmp_path / "runs/mine-import"
    paths = Paths("mine", "import", tmp_path / "data", tmp_path / "runs", experiment="small")
    assert paths.folder("masks") == run / "masks" and paths.folder("data") == tmp_path / "runs/mine/data"
    assert paths.folder("train") == run / "experiments/small/train"
    assert paths.folder("eval") == run / "experiments/small/eval"
    folders = f"DATA_ROOT={tmp_path / 'data'} RUNS={tmp_path / 'runs'}"
    made = Run.of(Config(), paths)
    assert made.make("eval") == f"make eval DATASET=mine LABELER=import EXPERIMENT=small {folders}"
    assert made.make("masks") == f"make masks DATASET=mine LABELER=import {folders}"
    for stage in STAGES:
        paths.folder(stage).mkdir(parents=True)
    for other in (run / "train", run / "experiments/large/train"):
        other.mkdir(parents=True)
    assert clean(Run.of(Config(), paths)).removed == [paths.folder("train"), paths.folder("eval")]
    left = {path.relative_to(tmp_path / "runs").as_posix() for path in (tmp_path / "runs").glob("**/") if path.is_dir()}
    assert {"mine/data", "mine-import/masks", "mine-import/train", "mine-import/experiments/large/train"} <= left
    assert "mine-import/experiments/small" not in left


def test_an_experiment_evaluated_with_the_network_of_another(tmp_path):
    source = "mine-import/experiments/small"
    paths = Paths("mine", "import", tmp_path, tmp_path, trained_on=source, experiment="large")
    assert paths.folder("train") == tmp_path / "mine-import/experiments/small/train"
    own = tmp_path / "mine-import/experiments/large"
    assert paths.folder("eval") == own / "eval-from-mine-import-experiments-small"
    for folder in (paths.folder("train"), paths.folder("eval")):
        folder.mkdir(parents=True)
    assert clean(Run.of(Config(), paths)).removed == [paths.folder("eval")] and paths.folder("train").is_dir()


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "two words", "-option", "a\n"])
def test_a_name_that_is_no_folder_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=r"no valid name of a folder\. Use letters, digits"):
        Paths("mine", "import", tmp_path, tmp_path, experiment=name)


def test_a_labeler_is_trained_only_where_the_run_needs_one(tmp_path):
    danet = Paths("d", "danet", tmp_path, tmp_path / "runs")
    assert driver.chain(Run.of(Config(), danet)) == ("data", "labeler", "masks", "train", "eval")
    elsewhere = Config(masks=MasksConfig(options={"weights": "danet.safetensors"}))
    assert driver.chain(Run.of(elsewhere, danet)) == ("data", "masks", "train", "eval")
    assert driver.chain(Run.of(Config(), Paths("d", "import", tmp_path, tmp_path / "runs"))) == driver.chain(
        Run.of(elsewhere, danet)
    )
    assert Run.of(Config(), danet).make("labeler").startswith("make labeler DATASET=d ")


def test_masks_refuse_a_labeler_that_is_not_trained_yet(tmp_path):
    names = {"data": None, "labeler": "data", "masks": "labeler"}
    stages = {name: stage(name, lambda: "x", before) for name, before in names.items()}
    paths = Paths("d", "danet", tmp_path, tmp_path / "runs")
    execute(stages, "data", paths)
    with pytest.raises(UserError, match=r"masks needs a fresh labeler stage.*Run: make labeler DATASET=d"):
        execute(stages, "masks", paths)
    execute(stages, "labeler", paths)
    assert execute(stages, "masks", paths) is not None


def test_a_refusal_of_a_later_stage_is_foreseen(stages, paths, caplog):
    def refuses(run: Run) -> None:
        raise UserError("model.stripes = 99 is too many", "Use fewer: --set model.stripes=3")

    run = Run.of(Config(), paths)
    everything = {name: stage(name, str) for name in STAGES}
    everything["train"].check = refuses
    everything["data"].check = lambda run: pytest.fail("an earlier stage was asked")
    driver.warn_of_refusals(everything, "masks", run)
    assert "masks: train will refuse these options: model.stripes = 99 is too many. Use fewer" in caplog.text
    caplog.clear()
    driver.warn_of_refusals(everything, "train", run)
    assert not caplog.text
