"""Which commands make the grid, and which of them are done."""

import re
import shlex
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.runs import stamp
from pipeline.tools.tables.grid import distinct
from pipeline.tools.tables.plan import read_plan

EXPERIMENTS = "synped_demo-import/experiments"


def words(step, name: str) -> list[str]:
    command = list(step.command)
    return [command[i + 1] for i, word in enumerate(command) if word == name]


def names(units) -> list[list[str]]:
    return [[step.name for step in unit] for unit in units]


def test_a_job_is_an_experiment_and_trains_without_options_of_the_evaluation(make_grid):
    grid = make_grid("schedule.epochs=3")
    train, evaluate = (grid.step(grid.plan.jobs["sorn"], 1, stage) for stage in ("train", "eval"))
    assert train.command[:4] == (sys.executable, "-m", "pipeline", "train")
    assert words(train, "--set") == ["schedule.epochs=3", "train.seed=1"]
    assert words(evaluate, "--set") == ["schedule.epochs=3", "eval.colour=true", "train.seed=1"]
    assert words(train, "--experiment") == ["sorn-seed1"] and not words(evaluate, "--trained-on")
    assert train.run.paths.folder("train") == grid.run.paths.runs / EXPERIMENTS / "sorn-seed1/train"
    assert evaluate.needs == ("sorn-seed1",) and evaluate.run.config.eval.colour and evaluate.run.config.train.seed == 1


def test_the_network_of_another_job_and_a_segmenter_are_named(make_grid):
    grid = make_grid()
    step = grid.step(grid.plan.jobs["ext"], 0, "eval")
    runs = grid.run.paths.runs
    assert words(step, "--trained-on") == [f"{EXPERIMENTS}/plain-seed0"]
    assert f"eval.segmenter={runs / EXPERIMENTS / 'parts-seed0/train'}" in words(step, "--set")
    assert step.needs == ("plain-seed0", "parts-seed0")
    assert step.run.paths.folder("train") == runs / EXPERIMENTS / "plain-seed0/train"
    assert step.run.paths.folder("eval").parent == runs / EXPERIMENTS / "ext-seed0"


def test_one_seed_of_everything_comes_before_the_next(make_grid):
    first = [
        ["sorn-seed0 train", "sorn-seed0 eval"],
        ["plain-seed0 train", "parts-seed0 train", "plain-seed0 eval", "ext-seed0 eval", "pose-seed0 eval"],
    ]
    found = names(make_grid("masks.keypoints=joints").units())
    assert found[:2] == first and found[2] == ["sorn-seed1 train", "sorn-seed1 eval"] and len(found) == 4


def test_without_joints_nobody_is_asked_for_them(make_grid):
    grid = make_grid()
    assert not any("pose" in name for unit in names(grid.units()) for name in unit)
    assert grid.why_left_out(grid.plan.jobs["pose"]) == "no joints: masks.keypoints = none"


def test_parts_are_all_units_once(make_grid):
    grid = make_grid(seeds=3)
    parts = [names(grid.units(part=(number, 4))) for number in (1, 2, 3, 4)]
    assert sorted(unit for part in parts for unit in part) == sorted(names(grid.units()))
    assert parts[1] == names(grid.units())[1::4]


def test_an_evaluation_counts_when_all_it_comes_from_is_fresh(make_grid, finish):
    grid = make_grid()
    job = grid.plan.jobs["ext"]

    def first_stale() -> str:
        found = grid.first_stale(job, 0)
        return f"{found[0].name}: {found[1]}" if found else ""

    assert first_stale() == "plain-seed0 train: never finished"
    finish(grid, grid.step(grid.plan.jobs["plain"], 0, "train"))
    assert first_stale() == "parts-seed0 train: never finished"
    finish(grid, grid.step(grid.plan.jobs["parts"], 0, "train"))
    assert first_stale() == "ext-seed0 eval: never finished"
    finish(grid, grid.step(job, 0, "eval"))
    assert first_stale() == ""
    other = make_grid("eval.tau=0.5").first_stale(job, 0)
    assert other is not None and other[0].name == "ext-seed0 eval" and "0.15" in other[1]


def test_finished_trainings_with_other_options_are_named_once_with_the_command_that_replaces_them(make_grid):
    grid = make_grid("eval.tau=0.2")
    for seed in (0, 1):
        step = grid.step(grid.plan.jobs["sorn"], seed, "train")
        step.run.paths.checkpoint.parent.mkdir(parents=True)
        step.run.paths.checkpoint.write_bytes(b"weights")
        settings = grid.stages["train"].settings(step.run)
        stamp.write(step.run.paths.folder("train"), "train", 1, {}, settings, [step.run.paths.checkpoint], {})
    steps = [step for unit in grid.units(["sorn"]) for step in unit]
    grid.require_consent(steps)
    other = make_grid("model.semantic_branch=false")
    steps = [step for unit in other.units(["sorn"]) for step in unit]
    wrong = r"2 trainings of the tables would be .*first sorn-seed0 train: .*Run: make tables .*--retrain'.*SEEDS=2"
    with pytest.raises(UserError, match=wrong):
        other.require_consent(steps)
    asked = replace(other, run=replace(other.run, consent=frozenset({"--retrain"})))
    steps = [step for unit in asked.units(["sorn"]) for step in unit]
    asked.require_consent(steps)
    assert all(step.command[-1] == "--retrain" for step in steps)


def test_the_grid_refuses_what_it_decides_itself(make_grid):
    with pytest.raises(UserError, match="take no --experiment and no --trained-on"):
        make_grid(experiment="mine")
    with pytest.raises(UserError, match="0 seeds"):
        make_grid(seeds=0)
    with pytest.raises(UserError, match=r"need a fresh data stage.*never finished.*make data"):
        make_grid().require_masks()


def test_the_command_lists_a_line_per_unit_and_runs_nothing(tmp_path):
    common = ["tables", "run", "--labeler", "none", "--runs", str(tmp_path / "my runs"), "--seeds", "2", "--list"]
    done = CliRunner().invoke(main, [*common, "--only", "P1", "--part", "2/2"])
    assert done.exit_code == 0, done.output
    (line,) = done.output.splitlines()
    train, evaluate = (shlex.split(text) for text in line.split(" && "))
    assert train[3] == "train" and evaluate[3] == "eval" and str(tmp_path / "my runs") in train
    assert {"model.stripes=1", "train.seed=1", "P1-seed1"} <= set(train)
    assert not (tmp_path / "my runs").exists()
    for wrong in ("0/2", "3/2", "half"):
        done = CliRunner().invoke(main, [*common, "--part", wrong])
        assert done.exit_code == 1 and f"--part {wrong}" in done.output


def test_the_pages_of_nothing_name_the_jobs_and_those_of_a_job_show_its_row(tmp_path):
    common = ["tables", "show", "--labeler", "none", "--runs", str(tmp_path), "--seeds", "1"]
    done = CliRunner().invoke(main, common)
    assert done.exit_code == 0 and "0 of 0 rows" in done.output, done.output
    assert re.search(r"more jobs of the tables \(sorn, .*, pcb, .*\)\. All of them: make tables .*SEEDS=1", done.output)
    done = CliRunner().invoke(main, [*common, "--only", "no-spc"])
    assert "0 of 3 rows" in done.output and "no-spc" not in done.output, done.output
    done = CliRunner().invoke(main, [*common, "--only", "nobody"])
    assert done.exit_code == 1 and "there is no job 'nobody'" in done.output


@pytest.mark.parametrize(("parts", "repeated"), [("3", "P3"), ("6", "P6")])
def test_the_row_of_figure_8_that_is_sorn_itself_is_not_trained_again(parts, repeated):
    plan = distinct(read_plan(), "synped", (f"model.stripes={parts}", "loss.label_smoothing=0.1"))
    assert read_plan().jobs.keys() - plan.jobs.keys() == {repeated, "N3"}
    assert plan.row("Figure 8, P", f"P = {parts}").job == "sorn"
    assert "no-ls" not in distinct(read_plan(), "synped", ("loss.label_smoothing=0",)).jobs
