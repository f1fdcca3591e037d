"""Reports by hand -> the content of tables.json: figures, differences, what is missing and why."""

import json
import shlex
from dataclasses import replace

import pytest

from pipeline.errors import UserError
from pipeline.runs.result_paths import TablesPaths
from pipeline.tools.tables import text
from pipeline.tools.tables.evidence import JobSeed, OrderedFigure
from pipeline.tools.tables.results import collect

SORN = {
    ("sorn", 0): {"sorn": 0.5, "global": 0.4, "colour": 0.2},
    ("sorn", 1): {"sorn": 0.6, "global": 0.48, "colour": 0.2},
}


@pytest.fixture
def files(tmp_path) -> TablesPaths:
    return TablesPaths(tmp_path / "tables")


def row(evidence, name: str):
    return next(row for row in evidence.rows if row.name == name)


def test_numbers_by_hand(make_grid, write_reports, files):
    grid = make_grid()
    write_reports(grid, SORN, paper=[(57.6, 46.3)])
    evidence = collect(grid, files)
    ours = row(evidence, "SORN")
    assert ours.paper == {"rank-1": 0.576, "mAP": 0.463} and ours.missing == {}
    assert ours.figures["rank-1"].seeds == {"0": 0.5, "1": 0.6}
    assert ours.figures["rank-1"].mean == pytest.approx(0.55)
    assert ours.figures["rank-1"].high == pytest.approx(0.55 + 12.7062 * 0.05)  # sd / sqrt(2) = 0.05
    assert ours.figures["mAP"].mean == pytest.approx(0.275) and ours.figures["rank-5"].sd == 0
    assert row(evidence, "P = 3").figures == ours.figures
    order = evidence.expected[0].figures["rank-1"]
    assert order.difference.seeds == {"0": pytest.approx(0.1), "1": pytest.approx(0.12)}
    assert order.paper == pytest.approx(0.035) and order.verdict == "undecided"  # 0.11 +- 0.127
    assert [point.tau for point in evidence.tau] == [0.0, 0.5]
    assert evidence.tau[1].figures["rank-1"].mean == pytest.approx(1.05)
    assert evidence.common.chance == {"rank-1": 0.01, "rank-5": 0.05, "mAP": 0.02} and evidence.common.queries == 10
    assert evidence.jobs["sorn"].seeds["1"] == JobSeed("c" * 64, {"train": "t" * 64})
    json.dumps(evidence.to_json(), allow_nan=False)


def test_figures_of_the_paper_stand_beside_those_that_measured_the_same(make_grid, write_reports, files):
    """The order of two rows can be compared elsewhere too."""
    grid = make_grid()
    write_reports(grid, SORN, paper=[(57.6, 46.3)])
    evidence = collect(grid, files)
    assert row(evidence, "SORN").paper and row(evidence, "Global").paper is None
    shown = text.figure_rows(evidence, "I")
    assert shown[0][-2:] == ["paper: rank-1", "paper: mAP"] and [cells[-2] for cells in shown[1:3]] == ["57.6", ""]
    write_reports(grid, SORN)
    elsewhere = collect(grid, files)
    assert all(found.paper is None for found in elsewhere.rows)
    assert text.figure_rows(elsewhere, "I")[0][-1] == "seeds"
    assert text.order_rows(elsewhere)[0][2] == "paper, Occluded-DukeMTMC" and text.order_rows(elsewhere)[1][2] == "+3.5"
    captions = [text.paper_caption(found) for found in (evidence, elsewhere)]
    assert "not their height" in captions[0] and "do not stand beside these rows" in captions[1]


def test_warnings_of_all_reports_are_told_once(make_grid, write_reports, make_report, files):
    grid = make_grid()
    write_reports(grid, SORN)
    (shared,) = collect(grid, files).common.warnings
    assert str(shared) == "3 images fewer. Copy them again." and f"Warning: {shared}" in text.facts(
        collect(grid, files)
    )
    path = grid.step(grid.plan.jobs["sorn"], 1, "eval").run.paths.report_json
    path.write_text(json.dumps(json.loads(path.read_text()) | {"warnings": []}))
    assert collect(grid, files).common.warnings == ()


def test_an_optional_row_is_there_only_where_it_was_measured(make_grid, write_reports, files):
    grid = make_grid()
    write_reports(grid, SORN)
    assert "exact" not in [row.name for row in collect(grid, files).rows]
    write_reports(grid, {("sorn", 1): {**SORN["sorn", 1], "sorn, exact masks": 0.7}})
    exact = row(collect(grid, files), "exact")
    assert exact.figures["rank-1"].mean == 0.7 and exact.missing["0"].startswith("no 'sorn, ground truth'")


def test_what_is_missing_is_named_with_the_reason(make_grid, write_reports, files):
    grid = make_grid()
    write_reports(grid, {("sorn", 0): {"sorn": 0.5, "global": 0.4}, ("ext", 1): {"sorn": 0.45}})
    evidence = collect(grid, files)
    assert row(evidence, "SORN").missing == {"1": "sorn-seed1 train: never finished"}
    assert row(evidence, "colours").missing["0"] == "no 'colour' in its report"
    assert row(evidence, "colours").figures["mAP"] is None
    assert row(evidence, "P").missing == dict.fromkeys("01", "no joints: masks.keypoints = none")
    assert row(evidence, "S").figures["rank-1"].mean == 0.45
    assert evidence.expected[1].figures["rank-1"] == OrderedFigure(None, 0.006, "not measured")


def test_a_failed_attempt_is_the_reason(make_grid, files):
    files.folder.mkdir()
    files.attempts.write_text(
        "started,experiment,stage,seconds,exit_code,said\n"
        'now,sorn-seed0,train,5.0,1,"the loss is nan, at step 3"\n'
        "now,sorn-seed1,train,7.0,1,x\nnow,sorn-seed1,train,9.0,0,\n"
    )
    evidence = collect(make_grid(), files)
    missing = row(evidence, "SORN").missing
    assert missing == {"0": "sorn-seed0 train: the loss is nan, at step 3", "1": "sorn-seed1 train: never finished"}
    assert evidence.jobs["sorn"].seconds == {"train": 16.0, "eval": None}
    assert evidence.common.protocol is None and evidence.tau == ()


def test_an_evaluation_of_other_options_is_no_result_of_todays(make_grid, write_reports, files):
    write_reports(make_grid(), SORN)
    evidence = collect(make_grid("eval.tau=0.3"), files)
    assert row(evidence, "SORN").figures["rank-1"] is None
    assert "0.15" in row(evidence, "SORN").missing["0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gallery": 21}, r"sorn, seed 1 is not comparable with sorn, seed 0: gallery images is 21, not 20"),
        ({"name": "other"}, r"dataset is other, not synped_demo"),
        ({"average_precision": "trapezoid"}, r"average precision is trapezoid, not standard"),
    ],
)
def test_another_protocol_or_dataset_is_refused(make_grid, write_reports, files, options, message):
    grid = make_grid()
    write_reports(grid, {("sorn", 0): SORN["sorn", 0]})
    write_reports(grid, {("sorn", 1): SORN["sorn", 1]}, **options)
    with pytest.raises(UserError, match=message):
        collect(grid, files)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"is no report of an evaluation"),
        ('{"schema_version": 2}', "no report.*protocol is missing"),
        ("[]", "no report"),
    ],
)
def test_a_damaged_report_is_named(make_grid, write_reports, files, text, message):
    grid = make_grid()
    write_reports(grid, SORN)
    grid.step(grid.plan.jobs["sorn"], 1, "eval").run.paths.report_json.write_text(text)
    with pytest.raises(UserError, match=message):
        collect(grid, files)


def test_only_rows_that_were_asked_for_or_have_begun_are_shown(make_grid, write_reports, files):
    grid = make_grid()
    write_reports(grid, SORN)
    shown = collect(grid, files, asked=())
    assert [found.name for found in shown.rows] == ["SORN", "Global", "colours", "P = 3"]
    assert [order.name for order in shown.expected] == ["SORN beats Global"] and list(shown.jobs) == ["sorn"]
    assert shown.others == ("plain", "ext", "pose") and shown.command == f"{shown.whole} GRID='--only sorn'"
    asked = collect(grid, files, asked={"ext", "plain", "parts"})
    assert row(asked, "S").missing["0"] == "plain-seed0 train: never finished" and asked.others == ("pose",)
    assert list(asked.jobs) == ["sorn", "plain", "parts", "ext"]
    everything = collect(grid, files)
    assert everything.others == () and everything.command == everything.whole == shown.whole


def test_a_job_has_begun_with_its_first_training_also_where_that_failed(make_grid, finish, files):
    grid = make_grid()
    assert collect(grid, files, asked=()).rows == () and collect(grid, files, asked=()).others[0] == "sorn"
    finish(grid, grid.step(grid.plan.jobs["plain"], 1, "train"))  # the jobs that evaluate it have not begun
    assert "plain" not in collect(grid, files, asked=()).others
    files.folder.mkdir()
    files.attempts.write_text("started,experiment,stage,seconds,exit_code,said\nnow,sorn-seed1,train,5.0,1,nan\n")
    shown = collect(grid, files, asked=())
    assert row(shown, "SORN").missing["1"] == "sorn-seed1 train: nan" and shown.others == ("ext", "pose")


def test_a_table_of_colours_alone_is_left_out(make_grid, write_reports, files):
    grid = make_grid()
    rows = (*grid.plan.rows, replace(grid.plan.rows[2], table="II"), replace(grid.plan.rows[4], table="II"))
    grid = replace(grid, plan=replace(grid.plan, rows=rows))
    write_reports(grid, SORN)
    assert collect(grid, files, asked=()).tables == ["I", "Figure 8, P"]
    assert collect(grid, files).tables == ["I", "Figure 8, P", "II"]


def test_the_command_makes_them_again(make_grid, files):
    evidence = collect(make_grid("train.init=my file.pth"), files)
    words = shlex.split(evidence.command)
    *begin, options, seeds = words
    assert begin == ["make", "tables", "DATASET=synped_demo", "LABELER=import", "CONFIG=demo"] and seeds == "SEEDS=2"
    assert shlex.split(options.removeprefix("ARGS=")) == ["--set", "train.init=my file.pth"]
