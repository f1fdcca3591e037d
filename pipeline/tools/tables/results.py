"""Evidence of the grid, from report.json of its fresh evaluations.

An evaluation that is missing or was made with other options has no number. It is named with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.evaluation.figures import HEADLINE, IN_GRID, shown_name
from pipeline.evaluation.report import Report, SweepPoint, VariantFigures, read_report
from pipeline.evaluation.saved import setting
from pipeline.io.text import parse_json
from pipeline.runs.command import assigned
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.stored_options import as_json
from pipeline.tools.tables.evidence import (
    CommonFacts,
    Evidence,
    GridDataset,
    GridLabels,
    JobEvidence,
    JobSeed,
    MeasuredRow,
    OrderedFigure,
    Ordering,
    SweptTau,
)
from pipeline.tools.tables.grid import Grid
from pipeline.tools.tables.plan import Expected, Row, TablesPlan
from pipeline.tools.tables.runner import read_attempts
from pipeline.tools.tables.statistics import Summary, summary, verdict

FIGURES = tuple(figure.key for figure in IN_GRID)
PRINTED = tuple(figure.key for figure in HEADLINE)  # by the paper
SHOWN = ("masks", "model", "loss", "schedule", "train", "eval")  # sections that hold for all jobs
SWEPT = "sorn"  # the job whose sweep of tau is Figure 8's

Reports = Mapping[tuple[str, int], Report]  # (job, seed) -> report.json
Missing = Mapping[tuple[str, int], str]  # (job, seed) -> why there is none


def collect(grid: Grid, files: TablesPaths, asked: Collection[str] | None = None) -> Evidence:
    """Evidence of all finished jobs.

    asked: jobs whose rows are shown besides those of the jobs that have begun; None for all. Raises UserError for a
    report that is damaged or not comparable with the others.
    """
    reports, missing, begun = read_reports(grid, files)
    evaluated = [job.name for job in grid.plan.jobs.values() if job.evaluate]
    others = [] if asked is None else [name for name in evaluated if name not in asked and name not in begun]
    manifest, seeds, whole = grid.run.manifest, list(range(grid.seeds)), command(grid)
    again = whole
    if others:
        shown = [name for name in evaluated if name not in others]
        grid = replace(grid, plan=grid.plan.part(shown))
        again = f"{whole} {assigned('GRID', ' '.join(f'--only {name}' for name in shown))}" if shown else whole
    return Evidence(
        dataset=GridDataset(manifest.name, manifest.title, manifest.notice),
        seeds=tuple(seeds),
        common=described(reports),
        rows=tuple(
            row_content(row, reports, missing, seeds)
            for row in grid.plan.rows
            if not row.optional or _of_row(row, reports, seeds)
        ),
        expected=tuple(ordering(order, grid.plan, reports, seeds) for order in grid.plan.expected),
        tau=sweep(reports, seeds),
        jobs=jobs(grid, reports, files),
        command=again,
        others=tuple(others),
        whole=whole,
        config={section: as_json(getattr(grid.run.config, section)) for section in SHOWN},
    )


def read_reports(grid: Grid, files: TablesPaths) -> tuple[Reports, Missing, set[str]]:
    """Reports of fresh evaluations, reasons for missing ones, jobs that have begun."""
    reports, missing, begun = {}, {}, set()
    last = {(row["experiment"], row["stage"]): row for row in read_attempts(files)}
    failed = {key: row["said"] for key, row in last.items() if row["exit_code"] != "0"}
    for job in grid.plan.jobs.values():
        left_out = grid.why_left_out(job)
        for seed in range(grid.seeds) if job.evaluate else ():
            stale = None if left_out else grid.first_stale(job, seed)
            if stale:
                step, reason = stale
                missing[job.name, seed] = f"{step.name}: {failed.get((step.experiment, step.stage), reason)}"
                trained = step.stage == "eval" and not job.same_training_as
                tried = (step.experiment, step.stage) in failed or step.run.stamp(step.stage) is not None
                if step.experiment == grid.experiment(job.name, seed) and (trained or tried):
                    begun.add(job.name)
            elif left_out:
                missing[job.name, seed] = left_out
            else:
                reports[job.name, seed] = _read(grid.step(job, seed, "eval").run.paths.report_json)
                begun.add(job.name)
    require_alike(reports)
    return reports, missing, begun


def require_alike(reports: Reports) -> None:
    """Check that all evaluations are comparable.

    Raises UserError with two that are not comparable, and their difference.
    """
    settings = {f"{job}, seed {seed}": setting(report) for (job, seed), report in reports.items()}
    for name, found in settings.items():
        first, expected = next(iter(settings.items()))
        for key in expected:
            if found.get(key) != expected[key]:
                wrong = f"{name} is not comparable with {first}: {key} is {found.get(key)}, not {expected[key]}"
                raise UserError(wrong, "Use one dataset and protocol for all, see eval.split and eval.protocol.")


def described(reports: Reports) -> CommonFacts:
    """Protocol, numbers of images, chance, labels and versions."""
    if not reports:
        return CommonFacts()
    first = next((report for (job, _), report in reports.items() if job == SWEPT), next(iter(reports.values())))
    versions = {json.dumps(report.provenance.versions, sort_keys=True) for report in reports.values()}
    exact = first.labels.statistics.exact if first.labels else None
    return CommonFacts(
        first.protocol,
        next(iter(first.metrics.values())).queries,
        first.dataset.gallery_images,
        {name: first.chance[name] for name in FIGURES},
        GridLabels(first.provenance.labeler.name, exact.mean_iou if exact else None, exact.stripes if exact else None),
        tuple(parse_json(text) for text in sorted(versions)),
        tuple(warning for warning in first.warnings if all(warning in report.warnings for report in reports.values())),
    )


def row_content(row: Row, reports: Reports, missing: Missing, seeds: list[int]) -> MeasuredRow:
    measured = _of_row(row, reports, seeds)
    figures = {name: summary({seed: found[name] for seed, found in measured.items()}) for name in FIGURES}
    absent = {seed: missing.get((row.job, seed), f"no '{shown_name(row.report)}' in its report") for seed in seeds}
    reasons = {str(seed): why for seed, why in absent.items() if seed not in measured}
    paper = _paper(row) if _comparable(row, reports) else None
    return MeasuredRow(row.table, row.name, row.job, row.report, paper, figures, reasons)


def ordering(order: Expected, plan: TablesPlan, reports: Reports, seeds: list[int]) -> Ordering:
    better, worse = (plan.row(order.table, name) for name in (order.better, order.worse))
    ours, others = (_of_row(row, reports, seeds) for row in (better, worse))
    figures = {}
    for name in PRINTED:
        found = summary({seed: ours[seed][name] - others[seed][name] for seed in ours if seed in others})
        printed = [_paper(row) for row in (better, worse)]
        paper = round(printed[0][name] - printed[1][name], 4) if printed[0] and printed[1] else None
        figures[name] = OrderedFigure(found, paper, verdict(found))
    return Ordering(order.name, order.table, order.better, order.worse, figures)


def sweep(reports: Reports, seeds: list[int]) -> tuple[SweptTau, ...]:
    """Figure 8 over tau.

    Thresholds that every seed was evaluated with.
    """
    swept = {seed: reports[SWEPT, seed].tau_sweep for seed in seeds if (SWEPT, seed) in reports}
    by_tau: dict[float, dict[int, SweepPoint]] = {}
    for seed, points in swept.items():
        for point in points:
            by_tau.setdefault(point.tau, {})[seed] = point
    return tuple(
        SweptTau(tau, {name: _summary({seed: point[name] for seed, point in found.items()}) for name in PRINTED})
        for tau, found in sorted(by_tau.items())
        if len(found) == len(swept)
    )


def _summary(values: dict[int, float]) -> Summary:
    """Of at least one seed."""
    found = summary(values)
    assert found is not None
    return found


def jobs(grid: Grid, reports: Reports, files: TablesPaths) -> dict[str, JobEvidence]:
    """Name of a job -> evidence of its trainings and evaluations."""
    spent, found = _seconds(files), {}
    for job in grid.plan.jobs.values():
        experiments = [grid.experiment(job.name, seed) for seed in range(grid.seeds)]
        seconds = {
            stage: [spent[name, stage] for name in experiments if (name, stage) in spent] for stage in ("train", "eval")
        }
        evaluated = {str(seed): report.provenance for (name, seed), report in reports.items() if name == job.name}
        found[job.name] = JobEvidence(
            job.options,
            job.same_training_as,
            job.segmenter,
            {stage: sum(times) / len(times) if times else None for stage, times in seconds.items()},
            {seed: JobSeed(made.checkpoint_sha256, made.stamps) for seed, made in evaluated.items()},
        )
    return found


def _seconds(files: TablesPaths) -> dict[tuple[str, str], float]:
    """(experiment, stage) -> seconds of its last finished attempt, with the interrupted attempts before it."""
    before: dict[tuple[str, str], float] = {}
    done = {}
    for row in read_attempts(files):
        key = row["experiment"], row["stage"]
        before[key] = before.get(key, 0.0) + float(row["seconds"])
        if row["exit_code"] == "0":
            done[key] = before.pop(key)
    return done


def command(grid: Grid) -> str:
    """Command that measures the whole grid."""
    command = replace(grid.run.command, config=grid.run.config_name, set=grid.run.command.overrides, init=None)
    return f"{command.make('tables')} SEEDS={grid.seeds}"


def _of_row(row: Row, reports: Reports, seeds: list[int]) -> dict[int, VariantFigures]:
    """Seed -> figures of the row, for measured seeds."""
    found = {seed: reports[row.job, seed].metrics for seed in seeds if (row.job, seed) in reports}
    return {seed: metrics[row.report] for seed, metrics in found.items() if row.report in metrics}


def _comparable(row: Row, reports: Reports) -> bool:
    """Whether the reports have the figures that the paper prints for the row: it measured what they measured."""
    printed = {tuple(found.get(name) for name in PRINTED) for report in reports.values() for found in report.paper}
    return row.paper in printed


def _paper(row: Row) -> dict[str, float] | None:
    """Figures of the paper, as fractions."""
    return {name: round(value / 100, 4) for name, value in zip(PRINTED, row.paper, strict=True)} if row.paper else None


def _read(path: Path) -> Report:
    try:
        return read_report(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no report of an evaluation: {reason(error)}", f"Delete {path.parent} and run again."
        ) from error
