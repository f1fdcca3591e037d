"""What the grid has shown: reads report.json of its fresh evaluations -> the content of tables.json.

What is missing, or was made with other options than today's, is named with the reason and no number stands for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, reason
from pipeline.evaluation.figures import HEADLINE, IN_GRID
from pipeline.evaluation.report import Report, SweepPoint, VariantFigures, read_report
from pipeline.evaluation.saved import setting
from pipeline.io.documents import to_json
from pipeline.io.text import parse_json
from pipeline.runs.config import as_json
from pipeline.runs.layout import TablesPaths
from pipeline.tools.tables.grid import Grid
from pipeline.tools.tables.plan import Expected, Row, TablesPlan
from pipeline.tools.tables.runner import read_attempts
from pipeline.tools.tables.statistics import LEVEL, summary, verdict

SCHEMA_VERSION = 1
FIGURES = tuple(figure.key for figure in IN_GRID)
PRINTED = tuple(figure.key for figure in HEADLINE)  # by the paper
SHOWN = ("masks", "model", "loss", "schedule", "train", "eval")  # sections that hold for all jobs
SWEPT = "sorn"  # the job whose sweep of tau is Figure 8's

Reports = Mapping[tuple[str, int], Report]  # (job, seed) -> report.json
Missing = Mapping[tuple[str, int], str]  # (job, seed) -> why there is none


def collect(grid: Grid, files: TablesPaths) -> dict[str, Any]:
    """Raises UserError for a report that is damaged or not comparable with the others."""
    reports, missing = read_reports(grid, files)
    manifest, seeds = grid.run.manifest, list(range(grid.seeds))
    return {
        "schema_version": SCHEMA_VERSION,
        "unit": "fractions in [0, 1]",
        "level": LEVEL,
        "dataset": {"name": manifest.name, "title": manifest.title, "notice": manifest.notice},
        "seeds": seeds,
        **described(reports),
        "rows": [
            row_content(row, reports, missing, seeds)
            for row in grid.plan.rows
            if not row.optional or _of_row(row, reports, seeds)
        ],
        "expected": [ordering(order, grid.plan, reports, seeds) for order in grid.plan.expected],
        "tau": sweep(reports, seeds),
        "jobs": jobs(grid, reports, files),
        "command": command(grid),
        "config": {section: as_json(getattr(grid.run.config, section)) for section in SHOWN},
    }


def read_reports(grid: Grid, files: TablesPaths) -> tuple[Reports, Missing]:
    """Those of fresh evaluations, and why there are no others."""
    reports, missing = {}, {}
    last = {(row["experiment"], row["stage"]): row for row in read_attempts(files)}
    failed = {key: row["said"] for key, row in last.items() if row["exit_code"] != "0"}
    for job in grid.plan.jobs.values():
        left_out = grid.why_left_out(job)
        for seed in range(grid.seeds) if job.evaluate else ():
            stale = None if left_out else grid.first_stale(job, seed)
            if stale:
                step, reason = stale
                missing[job.name, seed] = f"{step.name}: {failed.get((step.experiment, step.stage), reason)}"
            elif left_out:
                missing[job.name, seed] = left_out
            else:
                reports[job.name, seed] = _read(grid.step(job, seed, "eval").run.paths.report_json)
    require_alike(reports)
    return reports, missing


def require_alike(reports: Reports) -> None:
    """Raise UserError naming two evaluations whose figures cannot stand in one table, and what differs."""
    settings = {f"{job}, seed {seed}": setting(report) for (job, seed), report in reports.items()}
    for name, found in settings.items():
        first, expected = next(iter(settings.items()))
        for key in expected:
            if found.get(key) != expected[key]:
                wrong = f"{name} is not comparable with {first}: {key} is {found.get(key)}, not {expected[key]}"
                raise UserError(wrong, "Use one dataset and protocol for all, see eval.split and eval.protocol.")


def described(reports: Reports) -> dict[str, Any]:
    """What all reports say alike: protocol, numbers of images, chance, labels, versions; null without any."""
    keys = ("protocol", "queries", "gallery_images", "chance", "labels", "versions")
    if not reports:
        return dict.fromkeys(keys)
    first = next((report for (job, _), report in reports.items() if job == SWEPT), next(iter(reports.values())))
    versions = {json.dumps(report.provenance.versions, sort_keys=True) for report in reports.values()}
    exact = first.labels.statistics.exact if first.labels else None
    values = (
        first.protocol,
        next(iter(first.metrics.values())).queries,
        first.dataset.gallery_images,
        {name: first.chance[name] for name in FIGURES},
        {
            "labeler": first.provenance.labeler.name,
            "mIoU": exact.mean_iou if exact else None,
            "stripes": to_json(exact.stripes) if exact else None,
        },
        [parse_json(text) for text in sorted(versions)],
    )
    return dict(zip(keys, values, strict=True))


def row_content(row: Row, reports: Reports, missing: Missing, seeds: list[int]) -> dict[str, Any]:
    """A row of ours and the paper's. figures: name -> `summary` over the seeds. missing: seed -> why."""
    measured = _of_row(row, reports, seeds)
    figures = {name: summary({seed: found[name] for seed, found in measured.items()}) for name in FIGURES}
    absent = {seed: missing.get((row.job, seed), f"no '{row.report}' in its report") for seed in seeds}
    return {
        "table": row.table,
        "name": row.name,
        "job": row.job,
        "report": row.report,
        "paper": _paper(row),
        "figures": figures,
        "missing": {str(seed): why for seed, why in absent.items() if seed not in measured},
    }


def ordering(order: Expected, plan: TablesPlan, reports: Reports, seeds: list[int]) -> dict[str, Any]:
    """figures: name -> difference of the rows, seed by seed, the paper's, and what they say."""
    better, worse = (plan.row(order.table, name) for name in (order.better, order.worse))
    ours, others = (_of_row(row, reports, seeds) for row in (better, worse))
    figures = {}
    for name in PRINTED:
        found = summary({seed: ours[seed][name] - others[seed][name] for seed in ours if seed in others})
        printed = [_paper(row) for row in (better, worse)]
        paper = round(printed[0][name] - printed[1][name], 4) if printed[0] and printed[1] else None
        figures[name] = {"difference": found, "paper": paper, "verdict": verdict(found)}
    return {"name": order.name, "table": order.table, "better": order.better, "worse": order.worse, "figures": figures}


def sweep(reports: Reports, seeds: list[int]) -> list[dict[str, Any]]:
    """Figure 8 over tau: a threshold and what is reached with it, where every seed has that threshold."""
    swept = {seed: reports[SWEPT, seed].tau_sweep for seed in seeds if (SWEPT, seed) in reports}
    by_tau: dict[float, dict[int, SweepPoint]] = {}
    for seed, points in swept.items():
        for point in points:
            by_tau.setdefault(point.tau, {})[seed] = point
    return [
        {"tau": tau, **{name: summary({seed: point[name] for seed, point in found.items()}) for name in PRINTED}}
        for tau, found in sorted(by_tau.items())
        if len(found) == len(swept)
    ]


def jobs(grid: Grid, reports: Reports, files: TablesPaths) -> dict[str, Any]:
    """Job -> options; seed -> digest of its checkpoint and fingerprints; stage -> seconds, mean over the seeds, null
    where none was timed.
    """
    spent, found = _seconds(files), {}
    for job in grid.plan.jobs.values():
        experiments = [grid.experiment(job.name, seed) for seed in range(grid.seeds)]
        seconds = {
            stage: [spent[name, stage] for name in experiments if (name, stage) in spent] for stage in ("train", "eval")
        }
        found[job.name] = {
            "options": list(job.options),
            "same_training_as": job.same_training_as,
            "segmenter": job.segmenter,
            "seconds": {stage: sum(times) / len(times) if times else None for stage, times in seconds.items()},
            "seeds": {
                str(seed): {
                    "checkpoint_sha256": report.provenance.checkpoint_sha256,
                    "stamps": report.provenance.stamps,
                }
                for (name, seed), report in reports.items()
                if name == job.name
            },
        }
    return found


def _seconds(files: TablesPaths) -> dict[tuple[str, str], float]:
    """(experiment, stage) -> how long it took when it was last done, with the attempts that it went on from."""
    before: dict[tuple[str, str], float] = {}
    done = {}
    for row in read_attempts(files):
        key = row["experiment"], row["stage"]
        before[key] = before.get(key, 0.0) + float(row["seconds"])
        if row["exit_code"] == "0":
            done[key] = before.pop(key)
    return done


def command(grid: Grid) -> str:
    """What makes these tables again, as the user would type it."""
    command = replace(grid.run.command, config=grid.run.config_name, set=grid.run.command.overrides, init=None)
    return f"{command.make('tables')} SEEDS={grid.seeds}"


def _of_row(row: Row, reports: Reports, seeds: list[int]) -> dict[int, VariantFigures]:
    """Seed -> the row's figures, where they were measured."""
    found = {seed: reports[row.job, seed].metrics for seed in seeds if (row.job, seed) in reports}
    return {seed: metrics[row.report] for seed, metrics in found.items() if row.report in metrics}


def _paper(row: Row) -> dict[str, float] | None:
    """As fractions."""
    return {name: round(value / 100, 4) for name, value in zip(PRINTED, row.paper, strict=True)} if row.paper else None


def _read(path: Path) -> Report:
    try:
        return read_report(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no report of an evaluation: {reason(error)}", f"Delete {path.parent} and run again."
        ) from error
