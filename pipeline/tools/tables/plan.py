"""Plan of the paper's tables: rows.toml -> jobs, rows and orderings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.evaluation.oracle_stripes import VARIANT as EXACT_STRIPES
from pipeline.io.build import build
from pipeline.io.text import read_toml
from sorn.colour import VARIANTS as COLOURS

ROWS = Path(__file__).parent / "rows.toml"
REPORTS = ("global", "global+local", "sorn", *COLOURS, EXACT_STRIPES)  # variants of a report
EVALUATION = "eval."  # options of this section do not change a training


@dataclass(frozen=True)
class Job:
    """A training and its evaluation; see the head of rows.toml."""

    name: str
    options: tuple[str, ...] = ()
    evaluate: bool = True
    same_training_as: str = ""
    segmenter: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the jobs that must be trained before its evaluation."""
        return tuple(name for name in (self.same_training_as, self.segmenter) if name)

    @property
    def needs_pose(self) -> bool:
        return "eval.visibility=pose" in self.options

    @property
    def training_options(self) -> tuple[str, ...]:
        return tuple(option for option in self.options if not option.startswith(EVALUATION))


@dataclass(frozen=True)
class Row:
    """Row of a table.

    report: variant in the report of the job. paper: rank-1 and mAP in percent, None if the paper prints none. optional:
    whether some datasets cannot have it.
    """

    table: str
    name: str
    job: str
    report: str
    paper: tuple[float, float] | None = None
    optional: bool = False


@dataclass(frozen=True)
class Expected:
    """Ordering of two rows that the paper reports.

    better, worse: names of rows of the table.
    """

    name: str
    table: str
    better: str
    worse: str


@dataclass(frozen=True)
class TablesPlan:
    """Jobs, rows and orderings of the tables.

    rows: in the order in which they are shown. Rows without training come first in every table.
    """

    jobs: dict[str, Job]
    rows: tuple[Row, ...]
    expected: tuple[Expected, ...]
    repeats: dict[str, str] = field(default_factory=dict)  # name of a left-out job -> name of the equal job

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.table for row in self.rows))

    def row(self, table: str, name: str) -> Row:
        return next(row for row in self.rows if (row.table, row.name) == (table, name))

    def without_repeats(self, content: Callable[[Job], Hashable]) -> TablesPlan:
        """Plan without jobs that equal an earlier job.

        For example, P = 3 equals SORN if the whole grid has three stripes. The rows of such a job use the earlier one.
        Jobs that others need, or that need others, stay. content: jobs with equal contents are equal.
        """
        needed = {name for job in self.jobs.values() for name in job.needs}
        known: dict[Hashable, str] = {}
        repeats = {}
        for job in self.jobs.values():
            if job.evaluate and not job.needs and job.name not in needed:
                first = known.setdefault(content(job), job.name)
                if first != job.name:
                    repeats[job.name] = first
        jobs = {name: job for name, job in self.jobs.items() if name not in repeats}
        rows = tuple(replace(row, job=repeats.get(row.job, row.job)) for row in self.rows)
        return TablesPlan(jobs, rows, self.expected, repeats)

    def part(self, jobs: Collection[str]) -> TablesPlan:
        """Plan of some jobs.

        It has the jobs that they need, their rows, and the orderings of these rows. A table with rows of colours alone
        is left out.
        """
        rows = [row for row in self.rows if row.job in jobs]
        tables = {row.table for row in rows if row.report not in COLOURS}
        rows = [row for row in rows if row.table in tables]
        names = {(row.table, row.name) for row in rows}
        needed = {needed for name in jobs for needed in self.jobs[name].needs}
        return TablesPlan(
            {name: job for name, job in self.jobs.items() if name in jobs or name in needed},
            tuple(rows),
            tuple(
                order for order in self.expected if {(order.table, row) for row in (order.better, order.worse)} <= names
            ),
            self.repeats,
        )

    def units(self, only: Iterable[str] = ()) -> list[list[Job]]:
        """Independent groups of jobs, in each the needed jobs first.

        only: names of jobs; the jobs that they need are added; empty for all. Raises UserError for an unknown name.
        """
        wanted = self._with_needs(only) if only else set(self.jobs)
        group = {name: name for name in self.jobs if name in wanted}
        for name in group:
            for other in self.jobs[name].needs:
                joined, into = group[other], group[name]
                group = {key: into if value == joined else value for key, value in group.items()}
        units: dict[str, list[Job]] = {}
        for name, key in group.items():
            units.setdefault(key, []).append(self.jobs[name])
        return [sorted(unit, key=lambda job: bool(job.needs)) for unit in units.values()]

    def _with_needs(self, only: Iterable[str]) -> set[str]:
        wanted = {self.repeats.get(name, name) for name in only}
        for name in wanted - self.jobs.keys():
            raise UserError(f"there is no job '{name}'", f"Jobs: {', '.join(self.jobs)}.")
        return wanted | {needed for name in wanted for needed in self.jobs[name].needs}


@dataclass(frozen=True)
class _PlanFile:
    """Content of rows.toml, where jobs have no name and floors have no table."""

    jobs: dict[str, dict[str, object]] = field(default_factory=dict)
    floors: tuple[dict[str, object], ...] = ()
    rows: tuple[Row, ...] = ()
    expected: tuple[Expected, ...] = ()


def read_plan(path: Path = ROWS) -> TablesPlan:
    """Plan of a file. Raises UserError naming an invalid entry."""
    try:
        content = read_toml(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "Correct that line.") from error
    file = build(_PlanFile, content, str(path))
    jobs = {
        name: build(Job, {"name": name, **job}, str(path), prefix=f"jobs.{name}.") for name, job in file.jobs.items()
    }
    tables = dict.fromkeys(row.table for row in file.rows)
    floors = [
        build(Row, {"table": table, **floor}, str(path), prefix=f"floors[{number}].")
        for table in tables
        for number, floor in enumerate(file.floors)
    ]
    rows = tuple(row for table in tables for row in (*floors, *file.rows) if row.table == table)
    plan = TablesPlan(jobs, rows, file.expected)
    _validate(plan, path)
    return plan


def _validate(plan: TablesPlan, path: Path) -> None:
    def must(condition: bool, wrong: str, remedy: str) -> None:
        if not condition:
            raise UserError(f"{path}: {wrong}", remedy)

    free = [job.name for job in plan.jobs.values() if not job.needs]
    for job in plan.jobs.values():
        for needed in job.needs:
            must(needed in free, f"job '{job.name}' needs '{needed}'", f"Jobs that need no other: {', '.join(free)}.")
        must(job.evaluate or not job.needs, f"job '{job.name}' needs others for an evaluation it has not", "Leave it.")
    for row in plan.rows:
        named = f"row '{row.name}' of table {row.table}"
        evaluated = [job.name for job in plan.jobs.values() if job.evaluate]
        must(row.job in evaluated, f"{named} is of job '{row.job}'", f"Jobs that evaluate: {', '.join(evaluated)}.")
        must(row.report in REPORTS, f"{named} reads '{row.report}'", f"A report has: {', '.join(REPORTS)}.")
    names = [(row.table, row.name) for row in plan.rows]
    for name in names:
        must(names.count(name) == 1, f"table {name[0]} has two rows '{name[1]}'", "Name them apart.")
    for order in plan.expected:
        for row_name in (order.better, order.worse):
            known = [name for table, name in names if table == order.table]
            must(row_name in known, f"'{order.name}': no row '{row_name}' in table {order.table}", f"Rows: {known}.")
