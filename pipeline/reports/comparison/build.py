"""Comparison of evaluations query by query: comparison.json, comparison.md and comparison.html."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from pipeline.errors import WRONG_OPTION, UserError
from pipeline.evaluation.figures import COMPARED, KEYS, shown_name, stored_name
from pipeline.evaluation.intervals import BootstrapInterval
from pipeline.evaluation.run_comparison import (
    ChangedQuery,
    ComparedRun,
    EvaluationComparison,
    FigureDifference,
    RunDifference,
)
from pipeline.evaluation.saved import Evaluated, read_evaluation, require_comparable, setting
from pipeline.evaluation.warnings import EvaluationWarning, few_persons, together
from pipeline.io.files import write_json, write_text
from pipeline.reports.comparison import text
from pipeline.reports.comparison.changed import changed_pictures
from pipeline.reports.comparison.page import html_page
from pipeline.runs.result_paths import RunComparison
from sorn.bootstrap import paired_difference
from sorn.config import OF_PARTS

logger = logging.getLogger(__name__)

CHANGED = 20  # queries that changed most, by name
LONGEST_NAME = 255  # bytes of a folder's name on the usual file systems


def compare_runs(
    given: list[str], runs: Path, out: Path | None = None, variant: str | None = None, metric: str = "mAP"
) -> EvaluationComparison:
    """Compare the other evaluations with the first and write the comparison.

    given: names of runs or paths. variant: None for the paper's fullest that all have. metric: figure by which a query
    is better or worse. Raises UserError for evaluations that cannot be compared.
    """
    if metric not in KEYS:
        raise UserError(
            f"metric = {metric!r}: expected one of {', '.join(KEYS)}",
            WRONG_OPTION,
        )
    compared = _read(given, runs)
    files = _files(runs, out, compared)
    variant = _variant(compared, variant)
    first, *others = compared
    shared = first.queries[variant]
    persons = len(np.unique(shared.pid))
    if persons < 2:
        wrong = f"all {len(shared.name)} queries are of one person"
        raise UserError(f"{wrong}: an interval over persons needs at least two", "Compare evaluations of more people.")
    comparison = EvaluationComparison(
        setting=setting(first.report),
        queries=len(shared.name),
        persons=persons,
        variant=variant,
        metric=metric,
        interval=BootstrapInterval(),
        notice=first.report.dataset.notice,
        warnings=_warnings(compared, persons),
        runs=tuple(ComparedRun(run.name, str(run.folder), run.report.protocol, _figures(run)) for run in compared),
        differences=tuple(_difference(first, other, variant, metric) for other in others),
        options=_differing(compared),
    )
    write_json(files.json, comparison.to_json())
    write_text(files.markdown, "\n".join(text.markdown(comparison)) + "\n")
    pictures = [
        changed_pictures((first, other), found, variant, metric, files.folder)
        for other, found in zip(others, comparison.differences, strict=True)
    ]
    write_text(files.html, html_page(comparison, pictures))
    logger.info("\n".join([*text.terminal_lines(comparison), f"See {files.html} and {files.markdown}."]))
    for warning in comparison.warnings:
        logger.warning(f"warning: {warning}")
    return comparison


def _read(given: list[str], runs: Path) -> list[Evaluated]:
    evaluations = [read_evaluation(runs, name) for name in given]
    places = [run.folder.resolve() for run in evaluations]
    if len(evaluations) < 2:
        raise UserError(f"only '{given[0]}' is given", "Name two evaluations or more: sorn report compare RUN RUN...")
    for i, place in enumerate(places):
        if place in places[:i]:
            raise UserError(f"{given[i]} is named twice: both are {place}", "Name each evaluation once.")
    for other in evaluations[1:]:
        require_comparable(evaluations[0], other)
    names = [run.name for run in evaluations]
    if len(set(names)) < len(names):  # runs of one name in different folders
        return [Evaluated(str(run.folder), run.folder, run.report, run.queries) for run in evaluations]
    return evaluations


def _files(runs: Path, out: Path | None, compared: list[Evaluated]) -> RunComparison:
    if out is not None:
        return RunComparison(out)
    files = RunComparison.of(runs, [run.name for run in compared])
    if len(files.folder.name.encode()) > LONGEST_NAME:
        raise UserError("the names of these runs are too long for a folder's name", "Name a folder: --out FOLDER.")
    return files


def _variant(compared: list[Evaluated], given: str | None) -> str:
    common = [name for name in compared[0].queries if all(name in run.queries for run in compared)]
    given = stored_name(given) if given else None
    if not common or (given and given not in common):
        wrong = f"variant '{shown_name(given)}' is not in all runs" if given else "these runs have no variant in common"
        variants = "; ".join(f"{run.name}: {', '.join(map(shown_name, run.queries))}" for run in compared)
        raise UserError(wrong, f"They have {variants}.")
    return given or ([name for name in common if name not in OF_PARTS] or common)[-1]


def _warnings(compared: list[Evaluated], persons: int) -> tuple[EvaluationWarning, ...]:
    found = together({run.name: run.report.warnings for run in compared})
    return tuple(dict.fromkeys([*few_persons(persons), *found]))


def _figures(run: Evaluated) -> dict[str, dict[str, float]]:
    return {
        variant: {figure.key: float(queries.figures[figure.key].mean()) for figure in COMPARED}
        for variant, queries in run.queries.items()
    }


def _difference(first: Evaluated, other: Evaluated, variant: str, metric: str) -> RunDifference:
    """Difference of one run from the first. The queries of both are in the order of their names."""
    a, b = first.queries[variant], other.queries[variant]
    figures = {}
    for name in dict.fromkeys((*(figure.key for figure in COMPARED), metric)):
        paired = paired_difference(a.figures[name], b.figures[name], a.pid)
        figures[name] = FigureDifference(paired.value, paired.low, paired.high, paired.excludes_zero)
    before, after = a.figures[metric], b.figures[metric]
    change = after - before
    order = [i for i in np.lexsort((a.name, -np.abs(change))).tolist() if change[i] != 0]
    return RunDifference(
        other.name,
        first.name,
        figures,
        int((change > 0).sum()),
        int((change < 0).sum()),
        int((change == 0).sum()),
        tuple(
            ChangedQuery(str(a.name[i]), a.pid[i].item(), float(before[i]), float(after[i])) for i in order[:CHANGED]
        ),
    )


def _differing(compared: list[Evaluated]) -> dict[str, tuple[object, ...]]:
    """Option -> its value in every run, None if a run does not have it; only options that differ."""
    options = [run.options() for run in compared]
    names = dict.fromkeys(name for of_run in options for name in of_run)
    table = {name: tuple(of_run.get(name) for of_run in options) for name in names}
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}
