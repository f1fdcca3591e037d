"""A grid over stages that do nothing but leave a stamp, and reports by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sample_report import REPORT, with_provenance

from pipeline.errors import UserError
from pipeline.evaluation.report import Report, SweepPoint, VariantFigures
from pipeline.runs import stamp
from pipeline.runs.command import RunCommand
from pipeline.runs.config import EvalConfig
from pipeline.runs.inputs import Input, as_stored
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.run import Run
from pipeline.tools.tables.evidence import Evidence
from pipeline.tools.tables.grid import Grid, Step
from pipeline.tools.tables.plan import Expected, Job, Row, TablesPlan
from pipeline.tools.tables.results import collect

MakeGrid = Callable[..., Grid]
MakeReport = Callable[..., Report]

PLAN = TablesPlan(
    {
        job.name: job
        for job in (
            Job("sorn", ("eval.colour=true",)),
            Job("plain", ("model.semantic_branch=false",)),
            Job("parts", ("model.local_branch=false", "model.global_branch=false"), evaluate=False),
            Job("ext", ("model.semantic_branch=false", "eval.visibility=segmenter"), True, "plain", "parts"),
            Job("pose", ("model.semantic_branch=false", "eval.visibility=pose"), True, "plain"),
        )
    },
    (
        Row("I", "SORN", "sorn", "sorn", (57.6, 46.3)),
        Row("I", "Global", "sorn", "global", (54.1, 44.1)),
        Row("I", "colours", "sorn", "colour"),
        Row("I", "exact", "sorn", "sorn, exact masks", optional=True),
        Row("I", "S", "ext", "sorn", (55.8, 42.9)),
        Row("I", "P", "pose", "sorn", (55.2, 42.2)),
        Row("Figure 8, P", "P = 3", "sorn", "sorn"),
    ),
    (Expected("SORN beats Global", "I", "SORN", "Global"), Expected("S beats P", "I", "S", "P")),
)


def stage(name: str) -> SimpleNamespace:
    def settings(run: Run) -> dict[str, Any]:
        config = run.config
        own = {"train": (config.model.semantic_branch, config.train.seed), "eval": (config.eval.tau,)}
        return {"options": list(own.get(name, ()))}

    def inputs(run: Run) -> list[Input]:
        if name == "eval" and run.stamp("train") is None:
            raise UserError("the train stage has not finished", "Run it.")
        return []

    return SimpleNamespace(NAME=name, VERSION=1, settings=settings, inputs=inputs)


@pytest.fixture
def make_grid(tmp_path) -> MakeGrid:
    """Grid(...) of PLAN. overrides: as on the command line."""

    def make(*overrides: str, seeds: int = 2, **paths: Any) -> Grid:
        place = Paths("synped_demo", "import", tmp_path / "data", tmp_path / "runs", **paths)
        stages = {name: stage(name) for name in ("data", "masks", "train", "eval")}
        command = RunCommand("synped_demo", "import", "demo", overrides, **{k: paths[k] for k in paths if k != "name"})
        return Grid(PLAN, stages, Run(place, command), seeds)

    return make


@pytest.fixture
def finish() -> Callable[[Grid, Step], None]:
    """Leaves what a step leaves: its stamp."""

    def leave(grid: Grid, step: Step) -> None:
        found = grid.stages[step.stage]
        folder, settings = step.run.paths.folder(step.stage), found.settings(step.run)
        stamp.write(folder, step.stage, 1, as_stored(step.stage, found.inputs(step.run)), settings, [], {})

    return leave


@pytest.fixture
def make_report() -> MakeReport:
    """report.json with rank-1 of these variants; mAP is half of it. options: of `dataset` or the configuration.

    paper: rank-1 and mAP of the rows of the paper that can be compared.
    """

    def make(rank1: dict[str, float], **options: Any) -> Report:
        printed = [{"rank-1": rank1, "mAP": mean_ap} for rank1, mean_ap in options.pop("paper", ())]
        changes = {"name": options.pop("name", "synped_demo"), "gallery_images": options.pop("gallery", 20)}
        figures = {name: {"rank-1": value, "rank-5": 1.0, "mAP": value / 2} for name, value in rank1.items()}
        report = dataclasses.replace(
            REPORT,
            protocol="made by hand, tau 0.15",
            metrics={name: VariantFigures(values, 10, 0) for name, values in figures.items()},
            chance={"rank-1": 0.01, "rank-5": 0.05, "mAP": 0.02},
            tau_sweep=tuple(SweepPoint(tau, {"rank-1": rank1["sorn"] + tau, "mAP": 0.1}) for tau in (0.0, 0.5)),
            labels=None,
            paper=tuple({"source": "Table I", "method": "A", **row} for row in printed),
            dataset=dataclasses.replace(REPORT.dataset, **changes),
        )
        return with_provenance(
            report,
            labeler=MadeBy("import"),
            checkpoint_sha256="c" * 64,
            stamps={"train": "t" * 64},
            versions={"torch": "2.0"},
            config=EvalConfig(**options),
        )

    return make


@pytest.fixture
def write_reports(finish, make_report) -> Callable[..., None]:
    """Leaves fresh trainings and evaluations of jobs: (job, seed) -> rank-1 per variant."""

    def write(grid: Grid, reports: dict[tuple[str, int], dict[str, float]], **options: Any) -> None:
        for (job, seed), rank1 in reports.items():
            found = grid.plan.jobs[job]
            for name in (found.same_training_as or job, found.segmenter):
                if name:
                    finish(grid, grid.step(grid.plan.jobs[name], seed, "train"))
            step = grid.step(found, seed, "eval")
            finish(grid, step)
            path: Path = step.run.paths.report_json
            path.write_text(json.dumps(make_report(rank1, **options).to_json()))

    return write


@pytest.fixture
def evidence(make_grid, write_reports, tmp_path) -> Evidence:
    """One job measured with two seeds."""
    grid = make_grid()
    reports = {("sorn", seed): {"sorn": 0.5 + seed / 100, "global": 0.4 + seed / 100} for seed in (0, 1)}
    write_reports(grid, reports)
    return collect(grid, TablesPaths(tmp_path / "tables"))


@pytest.fixture
def hostile(evidence) -> Callable[[str], Evidence]:
    """The same with names, messages and options that are this text."""

    def make(text: str) -> Evidence:
        replace = dataclasses.replace
        first, *middle, absent = evidence.rows[:4]
        rows = (replace(first, name=text), *middle, replace(absent, missing={"0": text}), *evidence.rows[4:])
        return replace(
            evidence,
            dataset=replace(evidence.dataset, title=text),
            common=replace(evidence.common, protocol=text),
            command=text,
            rows=rows,
            expected=(replace(evidence.expected[0], name=text), *evidence.expected[1:]),
        )

    return make
