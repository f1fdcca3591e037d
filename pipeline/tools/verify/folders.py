"""Folders of a run under verification.

Each has its stamp and the command that makes it again. Reads the names of folders and the record of the tables'
experiments.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.io.text import read_json
from pipeline.labelers import needs_training
from pipeline.runs.command import OWN, RUNS, assigned
from pipeline.runs.layout import EXPORT, TABLES, Paths
from pipeline.runs.lock import LOCK
from pipeline.runs.output_folders import OutputFolder, output_folders
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.run import Run
from pipeline.runs.stamp import Stamp
from pipeline.tools.tables.runner import read_attempts
from pipeline.tools.verify.checks import Checks


@dataclass
class VerifiedFolder:
    """One folder under verification.

    stage: name of its stage, or TABLES or EXPORT. run: as the stage takes it. stale: reasons, as text.
    """

    stage: str
    folder: Path
    run: Run
    checks: Checks
    stamp: Stamp | None = None
    stale: list[str] = field(default_factory=list)

    @property
    def paths(self) -> Paths:
        return self.run.paths

    @property
    def used(self) -> bool:
        """Whether the folder has files, the lock file not counted."""
        return self.folder.is_dir() and any(path.name != LOCK for path in self.folder.iterdir())

    @property
    def said(self) -> str:
        """State of the folder: broken, stale, whole, unfinished or not run."""
        if self.checks.faults:
            return "broken"
        if self.stale:
            return "stale"
        if self.stamp is not None or self.stage in (TABLES, EXPORT):
            return "whole"
        return "unfinished" if self.used else "not run"


def find_places(run: Run) -> list[VerifiedFolder]:
    """Folders of the stages, experiments, tables and exports of a run.

    If the run names an experiment, the other experiments are left out. A stage that has not run has an entry too.
    """
    tables = TablesPaths.of(run.paths)
    of_tables = {attempt["experiment"] for attempt in read_attempts(tables)}
    command = _tables_command(tables, run)
    found = []
    for output in output_folders(run):
        place = VerifiedFolder(output.stage, output.folder, output.run, Checks(_again(output)))
        experiment = place.paths.experiment
        if place.stage == TABLES or (experiment in of_tables and place.stage != EXPORT):
            place.checks = Checks(command)  # the command of the tables has the options of their experiments
        if _shown(place):
            found.append(place)
    return found


def _shown(place: VerifiedFolder) -> bool:
    """Whether a folder is listed.

    An empty folder is listed too. Not listed are the folder of a labeler that is not trained, and stages that an
    experiment does not have.
    """
    if place.stage == "labeler":
        return place.used and needs_training(place.paths.labeler, {})
    if place.stage == TABLES:
        return place.folder.is_dir()
    return place.used or not (place.paths.experiment and place.stage in OWN)


def _again(output: OutputFolder) -> str:
    """The command that makes it."""
    if output.stage == EXPORT:
        paths = output.run.paths
        name = paths.folder("train").parent.relative_to(paths.runs).as_posix()
        runs = "" if paths.runs == Path(RUNS) else f" --runs {shlex.quote(str(paths.runs))}"
        return f"sorn export {shlex.quote(name)}{runs}"
    return output.run.make(output.stage)


def _tables_command(files: TablesPaths, run: Run) -> str:
    """Command that made the tables, from tables.json if that can be read."""
    try:
        return str(read_json(files.json)["command"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"make tables {assigned('DATASET', run.paths.dataset)} {assigned('LABELER', run.paths.labeler)}"
