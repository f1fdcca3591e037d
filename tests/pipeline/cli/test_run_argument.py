"""RUN as an argument of the stages: what it stands for, and what contradicts it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import stages
from pipeline.cli.app import main
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run

STAGES = ("data", "labeler", "masks", "train", "eval")
FOLDERS = (
    "synped_demo-danet/masks",
    "synped_demo-danet/train",
    "synped_demo-danet/eval",
    "synped_demo-danet/experiments/small/train",
    "synped_demo-danet/experiments/small/eval",
    "synped_demo-danet/eval-from-market1501-import",
    "synped_demo-danet/eval-from-market1501-import-experiments-six",
    "market1501-import/train",
    "market1501-import/experiments/six/train",
    "mine-import/masks",
    "synped_demo/data",
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in FOLDERS:
        (tmp_path / "runs" / name).mkdir(parents=True)
    for train in (tmp_path / "runs" / "market1501-import").rglob("train"):
        (train / "stamp.json").write_text("{}")
    return tmp_path / "runs"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Paths, bool]]:
    """What the stages were asked to run."""
    seen: list[tuple[str, Paths, bool]] = []
    monkeypatch.setattr(stages, "run_stage", lambda name, run, force: seen.append((name, run.paths, force)))
    return seen


def refused(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1, result.output
    assert len(result.output.strip().splitlines()) == 1 and result.output.startswith("Error: ")
    return result.output


@pytest.mark.parametrize(
    ("text", "experiment", "source"),
    [
        ("synped_demo-danet", "", None),
        ("synped_demo-danet/masks", "", None),
        ("synped_demo-danet/eval", "", None),
        ("synped_demo-danet/experiments/small", "small", None),
        ("synped_demo-danet/experiments/small/eval", "small", None),
        ("synped_demo-danet/eval-from-market1501-import", "", "market1501-import"),
        ("synped_demo-danet/eval-from-market1501-import-experiments-six", "", "market1501-import/experiments/six"),
    ],
)
def test_a_name_or_a_path_stands_for_dataset_labeler_experiment_and_checkpoint(
    runs: Path, text: str, experiment: str, source: str | None
) -> None:
    expected = Paths("synped_demo", "danet", Path("d"), runs, source, "synped_demo", experiment)
    for given, below in ((text, runs), (str(runs / text), Path("elsewhere"))):
        if source is None or below == runs:
            assert Run.find(given, below, Path("d")).paths == expected


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_takes_a_run_or_options_and_force(
    runs: Path, asked: list[tuple[str, Paths, bool]], stage: str
) -> None:
    below = ["--runs", str(runs)]
    for words in (["synped_demo-danet"], ["--dataset", "synped_demo", "--labeler", "danet", "--force"]):
        result = CliRunner().invoke(main, [stage, *words, *below])
        assert result.exit_code == 0, result.output
    assert [(name, paths.run_name, force) for name, paths, force in asked] == [
        (stage, "synped_demo-danet", False),
        (stage, "synped_demo-danet", True),
    ]


def test_data_prepare_is_another_name_of_data(asked: list[tuple[str, Paths, bool]]) -> None:
    for words in (["data"], ["data", "prepare"]):
        assert CliRunner().invoke(main, [*words, "--dataset", "market1501"]).exit_code == 0
    assert [(name, paths.dataset) for name, paths, _ in asked] == [("data", "market1501")] * 2


@pytest.mark.parametrize(
    "option", ["--dataset=synped", "--labeler=import", "--experiment=b", "--trained-on=market1501"]
)
def test_an_option_that_names_another_run_is_refused(runs: Path, option: str) -> None:
    for command in ("data", "masks", "train", "eval", "status", "verify", "clean"):
        text = refused(command, "synped_demo-danet", option, "--runs", str(runs))
        name = option.partition("=")[0]
        assert f"both 'synped_demo-danet' and {name} name the run. Leave {name} out." in text


def test_a_dataset_that_is_a_file_is_named_beside_the_run(
    runs: Path, tmp_path: Path, asked: list[tuple[str, Paths, bool]]
) -> None:
    assert "the dataset of 'mine-import' is a file" in refused("train", "mine-import", "--runs", str(runs))
    table = tmp_path / "mine.csv"
    table.write_text("path,pid,camid,split\n")
    words = ["train", "mine-import", "--dataset", str(table), "--runs", str(runs)]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert asked[0][1] == Paths(str(table), "import", Path("data"), runs, None, "mine", "")
    (tmp_path / "other.csv").write_text("path,pid,camid,split\n")
    words[3] = str(tmp_path / "other.csv")
    assert "and --dataset name the run" in refused(*words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["eval", "synped_dem-danet"],
            "there is no run 'synped_dem-danet' in {runs}. Did you mean synped_demo-danet? "
            "Runs: market1501-import, mine-import, synped_demo-danet.",
        ),
        (
            ["eval", "zzz"],
            "there is no run 'zzz', neither in {runs} nor as a path. Runs: market1501-import, mine-import",
        ),
        (
            ["eval", "synped_demo-danet/experiments/smal"],
            "there is no experiment 'smal' of synped_demo-danet. Did you mean small?",
        ),
        (["eval", "--experiment", "smal"], "there is no experiment 'smal' of synped_demo-danet. Did you mean small?"),
        (["verify", "--experiment", "smal"], "there is no experiment 'smal' of synped_demo-danet. Did you mean small?"),
        (["clean", "--experiment", "smal"], "there is no experiment 'smal' of synped_demo-danet. Did you mean small?"),
        (
            ["data", "market1501"],
            "'market1501' is a dataset, and a run is called <dataset>-<labeler>. Write: --dataset market",
        ),
        (["eval", "--labeler", "densepos"], "Choose one: LABELER=densepose, or give a class"),
        (
            ["eval", "--trained-on", "market151"],
            "no finished training run of 'market151' in {runs}. Did you mean market1501?",
        ),
        (["eval", "--config", "dmeo"], "no configuration 'dmeo'. Did you mean demo?"),
        (["eval", "--dataset", "synped_dmeo"], "unknown dataset 'synped_dmeo'. Did you mean synped_demo?"),
        (["masks", "--force", "compare", "a", "b"], "options of the stage stand before 'compare'"),
    ],
)
def test_a_name_that_is_almost_right_is_answered_with_the_right_one(
    runs: Path, words: list[str], expected: str
) -> None:
    assert expected.format(runs=runs) in refused(*words, "--runs", str(runs))


def test_without_a_labeler_the_runs_of_other_labelers_are_named(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("path,pid,camid,split\na.png,1,1,query\n")
    words = ["--dataset", str(tmp_path / "mine.csv"), "--runs", str(runs)]
    told = "There is no run with LABELER=densepose yet; there is one with: LABELER=import."
    assert told in refused("masks", *words)
    assert told in CliRunner().invoke(main, ["status", *words]).output
    assert "there is one with" not in refused("masks", *words, "--labeler", "densepose")
    assert "there is one with" not in CliRunner().invoke(main, ["status", *words, "--labeler", "import"]).output


def test_a_new_experiment_may_resemble_an_old_one(runs: Path, asked: list[tuple[str, Paths, bool]]) -> None:
    words = ["--experiment", "small2", "--dataset", "synped_demo", "--labeler", "danet", "--runs", str(runs)]
    assert CliRunner().invoke(main, ["train", *words]).exit_code == 0 and asked[0][1].experiment == "small2"
    assert "no experiment 'small2' yet. Did you mean small?" in CliRunner().invoke(main, ["status", *words]).output
