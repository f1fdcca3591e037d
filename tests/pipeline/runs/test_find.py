"""Which finished training is meant by a name."""

import subprocess
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.runs.config import Config
from pipeline.runs.find import find_trained, find_training
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import data, driver


@pytest.fixture
def runs(tmp_path) -> Path:
    """Two runs of a, one with an experiment, and one of b that never finished."""
    for run in ("a-import", "a-import/experiments/small", "a-danet"):
        (tmp_path / run / "train").mkdir(parents=True)
        for name in ("stamp.json", "model.safetensors", "config.json"):
            (tmp_path / run / "train" / name).write_text("{}")
    (tmp_path / "b-import/experiments/small/train").mkdir(parents=True)
    return tmp_path


def test_runs_and_experiments_are_found_by_their_names(runs):
    assert find_trained("a-danet", runs).full_name == "a-danet"
    assert find_trained("a-import/experiments/small", runs).full_name == "a-import/experiments/small"
    assert find_training("a-import/experiments/small", runs) == runs / "a-import/experiments/small/train"


def test_an_experiment_is_nobodys_default(runs):
    (runs / "a-danet/train/stamp.json").unlink()
    assert find_trained("a", runs).full_name == "a-import"
    (runs / "a-import/train/stamp.json").unlink()
    with pytest.raises(UserError, match=r"no finished training run of 'a'.*Found: a-import/experiments/small\."):
        find_trained("a", runs)


def test_two_and_none_are_errors_with_the_names(runs):
    with pytest.raises(UserError, match=r"several runs were trained on a: a-danet, a-import\. Name one"):
        find_trained("a", runs)
    with pytest.raises(UserError, match=r"no finished training run of 'b-import/experiments/small'") as refused:
        find_trained("b-import/experiments/small", runs)
    assert refused.value.remedy.endswith(f"Run: sorn train b-import/experiments/small --runs {runs}")


def test_what_is_no_dataset_is_not_named_as_one(runs):
    for text, dataset in (("b-none", "NAME"), ("market1501", "market1501")):
        with pytest.raises(UserError, match=f"Name one, or run: make train DATASET={dataset}$"):
            find_trained(text, runs)


def finish(runs: Path, name: str) -> None:
    (runs / name / "train").mkdir(parents=True)
    (runs / name / "train" / "stamp.json").write_text("{}")


def test_a_dataset_may_be_given_by_its_file(tmp_path, make_images):
    runs = tmp_path / "runs"
    for site in ("a", "b"):
        make_images(tmp_path / site, ["1.png", "2.png"])
        (tmp_path / site / "own.csv").write_text("path,pid,camid,split\n1.png,1,1,train\n2.png,2,2,train\n")
    paths = Paths(str(tmp_path / "a/own.csv"), "none", Path("data"), runs, name="own")
    driver.execute({"data": data}, "data", Run.of(Config(), paths))
    finish(runs, "own-none")
    assert find_trained(str(tmp_path / "a/own.csv"), runs).full_name == "own-none"
    with pytest.raises(UserError, match=r"holds the results of .*a/own\.csv, not of .*b/own\.csv"):
        find_trained(str(tmp_path / "b/own.csv"), runs)


def test_two_runs_whose_evaluations_would_share_a_folder(tmp_path):
    finish(tmp_path, "a-none/experiments/b")
    assert find_trained("a-none/experiments/b", tmp_path).experiment == "b"
    finish(tmp_path, "a-none-experiments-b")
    for name in ("a-none/experiments/b", "a-none-experiments-b"):
        with pytest.raises(
            UserError, match=r"would have one folder, eval-from-a-none-experiments-b\. .*: mv "
        ) as error:
            find_trained(name, tmp_path)
    subprocess.run(["bash", "-c", error.value.remedy.partition(": ")[2]], check=True)
    assert find_trained("a-none-experiments-b", tmp_path).experiment == ""
