"""Commands `sorn tables run` and `sorn tables show`, for the paper's tables.

No logic, no torch at import time.
"""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import common, stages
from pipeline.errors import UserError
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.run import Run

if TYPE_CHECKING:
    from pipeline.tools.tables.grid import Grid

seeds_option = click.option("--seeds", default=3, show_default=True, help="Number of seeds per job, from 0.")
only_option = click.option("--only", multiple=True, metavar="JOB", help="This job and what it needs; repeatable.")


@click.group(
    short_help="Run and show the tables of the paper.",
    epilog=examples("sorn tables run --config demo --seeds 1 --only sorn"),
)
def tables() -> None:
    """The paper's tables and Figure 8, as a grid of trainings."""


@tables.command(
    "run",
    epilog=examples(
        "sorn tables run synped_demo-danet --config demo",
        "sorn tables run --seeds 1 --only sorn --only no-spc",
        "sorn tables run --part 1/4 --list",
    ),
)
@common
@seeds_option
@only_option
@click.option("--part", default="1/1", metavar="I/N", help="The I-th of N parts, which run independently.")
@click.option(
    "--list", "listed", is_flag=True, help="Print the commands, a line per independent unit, and run nothing."
)
def run_tables(run: Run, seeds: int, only: tuple[str, ...], part: str, listed: bool) -> None:
    """Train and evaluate the jobs of the tables, then write the pages.

    Without --only these are all jobs. The files are tables.json, .md and .html in runs/<dataset>-<labeler>/tables. Each
    job of pipeline/tools/tables/rows.toml is an experiment of the run. Fresh jobs do not run again. --set and --config
    apply to all jobs. A failed job does not stop the others: it is named at the end, and the exit code is 1. After an
    interruption the same command continues. The pages show the rows of these jobs, and of those that ran before.
    """
    from pipeline.runs.lock import held
    from pipeline.tools.tables.runner import run_grid

    grid, files, chosen = _grid(run, seeds), TablesPaths.of(run.paths), _part(part)
    units = grid.units(only, chosen)
    if listed:
        for unit in units:
            click.echo(" && ".join(shlex.join(step.command) for step in unit))
        return
    grid.require_masks()
    grid.require_consent(step for unit in units for step in unit)
    if run.recalled:
        click.echo(f"tables: with the options that the run was made with: {run.recalled}")
    with held(files.part(*chosen), "tables"):
        failures = run_grid(grid, units, files)
    _show(grid, files, _asked(grid, only))
    for failure in failures:
        click.echo(f"tables: {failure.text()}", err=True)
    sys.exit(1 if failures else 0)


@tables.command("show", epilog=examples("sorn tables show synped_demo-danet --config demo"))
@common
@seeds_option
@only_option
def show(run: Run, seeds: int, only: tuple[str, ...]) -> None:
    """Write the pages from the jobs that have finished, and run nothing.

    They show the rows of the jobs that have run, and say what else there is. --only adds the rows of one that has not.
    """
    grid = _grid(run, seeds)
    _show(grid, TablesPaths.of(run.paths), _asked(grid, only) if only else set())


def _grid(run: Run, seeds: int) -> Grid:
    from pipeline.tools.tables.grid import Grid, distinct
    from pipeline.tools.tables.plan import read_plan

    plan = distinct(read_plan(), run.config_name, run.command.overrides)
    return Grid(plan, stages(), run, seeds)


def _asked(grid: Grid, only: tuple[str, ...]) -> set[str]:
    """Names of the jobs that were asked for, with those that they need."""
    return {job.name for unit in grid.plan.units(only) for job in unit}


def _show(grid: Grid, files: TablesPaths, asked: set[str]) -> None:
    from pipeline.tools.tables.page import write_pages
    from pipeline.tools.tables.results import collect
    from pipeline.tools.tables.text import terminal_lines

    evidence = collect(grid, files, asked)
    write_pages(files, evidence)
    click.echo("\n".join([*terminal_lines(evidence), f"See {files.html} and {files.markdown}."]))


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count:
        raise UserError(f"--part {text}", "Give the part and the number of parts, e.g. 2/8.")
    return number, count
