"""Consistency of the tables of a run.

Reads tables.json, attempts.csv and the reports that they show.
"""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.evaluation.report import Report, read_report
from pipeline.io.text import read_json
from pipeline.runs.layout import EXPERIMENTS, REPORT
from pipeline.runs.result_paths import TablesPaths
from pipeline.tools.tables.grid import Grid
from pipeline.tools.tables.runner import COLUMNS
from pipeline.tools.verify.checks import Checks

CLOSE = 1e-9  # between a figure of tables.json and the one of a report that it was read from


def tables(files: TablesPaths, run: Path, checks: Checks) -> None:
    """Compare tables.json with the reports; check the record of attempts."""
    for path in (files.markdown, files.html):
        checks.must(path.is_file(), f"{path} is missing", path)
    with checks.reading(files.json):
        found = read_json(files.json)
        reports: dict[str, list[Report]] = {}
        for job, entry in found["jobs"].items():
            for seed, said in entry["seeds"].items():
                name = Grid.experiment(job, int(seed))
                reports[name] = [
                    report
                    for report in _reports(run / EXPERIMENTS / name, checks)
                    if report.provenance.checkpoint_sha256 == said["checkpoint_sha256"]
                ]
                wrong = f"{files.json} shows an evaluation of {name} that is not there"
                checks.must(bool(reports[name]), wrong, files.json)
        for row in found["rows"]:
            for metric, figure in row["figures"].items():
                for seed, value in ((figure or {}).get("values") or {}).items():
                    name = Grid.experiment(row["job"], int(seed))
                    shown = [report.metrics.get(row["report"]) for report in reports.get(name, [])]
                    measured = [found.figures.get(metric, -1.0) for found in shown if found is not None]
                    good = any(abs(one - value) <= CLOSE for one in measured)
                    wrong = f"{files.json}: {metric} of '{row['name']}', seed {seed}, is not the one of its report"
                    checks.must(good, wrong, files.json)
    if files.attempts.exists():
        with checks.reading(files.attempts), open(files.attempts, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
            good = rows[:1] == [list(COLUMNS)] and all(len(row) == len(COLUMNS) for row in rows)
            checks.must(good, f"{files.attempts} is cut off or has other columns", files.attempts)


def _reports(experiment: Path, checks: Checks) -> list[Report]:
    """Reports of all evaluations of an experiment, also of those with checkpoints of other experiments."""
    found = []
    for path in sorted(experiment.glob(f"eval*/{REPORT}")):
        with checks.reading(path):
            found.append(read_report(path))
    return found
