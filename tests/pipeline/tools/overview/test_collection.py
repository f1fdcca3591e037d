"""All runs of a folder: figures, differences, the matrix with its missing cells, and what cannot be read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pasted import faults
from sample_report import REPORT, with_provenance

from pipeline.errors import UserError
from pipeline.evaluation.report import Report
from pipeline.io.files import write_json, write_text
from pipeline.runs import stamp
from pipeline.runs.command import RunCommand
from pipeline.tools.overview.build import write_overview
from pipeline.tools.overview.collection import collect, differing
from pipeline.tools.overview.page import terminal_lines, view


def report(trained_on: str, dataset: str, mean: float, **training: object) -> Report:
    figures = dataclasses.replace(REPORT.metrics["global"], figures={"rank-1": mean, "mAP": mean})
    about = dataclasses.replace(REPORT.dataset, name=dataset)
    made = dataclasses.replace(REPORT, metrics={"global": figures}, dataset=about)
    return with_provenance(made, trained_on=trained_on, training={"model": {"parts": 3}, "train": training})


def put(folder: Path, made: Report) -> None:
    write_json(folder / "report.json", made.to_json())
    write_text(folder / "report.html", "")


def train(folder: Path) -> None:
    write_text(folder / "model.safetensors", "")
    stamp.write(folder, "train", 3, {}, {}, [folder / "model.safetensors"], {"checkpoint": "a"})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two trainings and an experiment on a, one of which was tested on b; b's own training was never evaluated."""
    folder = tmp_path / "my runs"
    train(folder / "a-danet/train")
    train(folder / "a-danet/experiments/six/train")
    train(folder / "b-danet/train")
    put(folder / "a-danet/eval", report("a-danet", "a", 0.25, seed=0))
    put(folder / "a-danet/experiments/six/eval", report("a-danet/experiments/six", "a", 0.5, seed=1))
    put(folder / "a-none/eval-from-starter", report("starter", "a", 0.75, seed=0))
    put(folder / "b-none/eval-from-a-danet", report("a-danet", "b", 0.125, seed=0))
    for name, dataset in (("a", "a"), ("b", "lists/b.csv")):
        command = RunCommand(dataset, "danet", data_root="/data", runs=str(folder))
        stamp.write(folder / name / "data", "data", 1, {}, {}, [], {}, command)
    return folder


def test_groups_have_the_highest_figure_first_and_say_what_differs(runs: Path) -> None:
    overview = collect(runs)
    group = overview.groups["a", "test", "default"]
    assert [one.name for one in group] == ["a-none/eval-from-starter", "a-danet/experiments/six", "a-danet"]
    assert differing(group) == [[], ["train.seed=1"], []]
    assert [one.name for one in overview.groups["b", "test", "default"]] == ["b-none/eval-from-a-danet"]
    assert overview.unevaluated() == ["b-danet"]


def test_the_matrix_and_the_commands_of_its_missing_cells(runs: Path) -> None:
    overview = collect(runs)
    assert overview.rows == ["a-danet", "b-danet", "starter"] and overview.columns == ["a", "b"]
    assert {key: one.report.metrics["global"]["mAP"] for key, one in overview.cells.items() if one.report} == {
        ("a-danet", "a"): 0.25,
        ("a-danet/experiments/six", "a"): 0.5,
        ("a-danet", "b"): 0.125,
        ("starter", "a"): 0.75,
    }
    where = f"DATA_ROOT=/data RUNS='{runs}'"
    commands = {(cell.trained_on, cell.dataset): cell.command for cell in overview.missing()}
    assert commands == {
        ("b-danet", "a"): f"make eval DATASET=a TRAINED_ON=b-danet {where}",
        ("b-danet", "b"): f"make eval DATASET=lists/b.csv LABELER=danet {where}",
        ("starter", "b"): f"make eval DATASET=lists/b.csv TRAINED_ON=starter {where}",
    }
    assert [list(faults(f"Run: {command}")) for command in commands.values()] == [[], [], []]


def test_the_page_links_what_is_there_and_names_what_cannot_be_read(runs: Path) -> None:
    write_text(runs / "c-danet/eval/report.json", "{")
    write_text(runs / "compare-reports-x/comparison.html", "")
    page = write_overview(runs)
    text = page.read_text(encoding="utf-8")
    assert page == runs / "index.html"
    assert (
        'href="a-danet/experiments/six/eval/report.html"' in text and 'href="compare-reports-x/comparison.html"' in text
    )
    shown = view(collect(runs))
    assert [name for name, _ in shown.unreadable] == ["c-danet"]
    assert shown.facts.startswith("3 trainings and 5 evaluations in ")
    lines = terminal_lines(collect(runs))
    assert any("a-danet/experiments/six" in line and "50.0" in line and "train.seed=1" in line for line in lines)
    assert any(line.startswith("cannot be read: c-danet: ") for line in lines)


def test_a_name_is_never_html(runs: Path) -> None:
    put(runs / "a-<b>x/eval", report("a-<b>x", "<i>a", 0.1))
    text = write_overview(runs).read_text(encoding="utf-8")
    assert "<b>x" not in text and "<i>a" not in text and "&lt;i&gt;a" in text


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no training and no evaluation in"):
        collect(tmp_path / "nowhere")
