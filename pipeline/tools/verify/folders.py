"""The folders of a run, in the order in which they are made, each with the command that makes it. Reads folders' names,
and the tables' record of their experiments.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.datasets.manifest import known_datasets
from pipeline.errors import UserError
from pipeline.io.text import read_json
from pipeline.labelers import LABELERS, needs_training, registry
from pipeline.runs.layout import EVALUATIONS_FROM, EXPERIMENTS, TABLES, Exported, Paths, TablesPaths, labeler_of_folder
from pipeline.runs.lock import LOCK
from pipeline.runs.stamp import Stamp
from pipeline.stages import driver
from pipeline.tools.tables.runner import read_attempts
from pipeline.tools.verify.checks import Checks

EXPORT = "export"


@dataclass
class RunFolder:
    """One folder. stage: whose it is, or TABLES or EXPORT. paths: as that stage sees them. stale: why, in words."""

    stage: str
    folder: Path
    paths: Paths
    checks: Checks
    stamp: Stamp | None = None
    stale: list[str] = field(default_factory=list)

    @property
    def used(self) -> bool:
        """Whether anything is in it but the file that says who is at work."""
        return self.folder.is_dir() and any(path.name != LOCK for path in self.folder.iterdir())

    @property
    def said(self) -> str:
        """What became of it, in a word."""
        if self.checks.faults:
            return "broken"
        if self.stale:
            return "stale"
        if self.stamp is not None or self.stage in (TABLES, EXPORT):
            return "whole"
        return "unfinished" if self.used else "not run"


def find_paths(run: str, runs: Path, data_root: Path) -> Paths:
    """The run meant by a name below `runs`, or by the path of its folder. Raises UserError for none."""
    folder = runs / run if (runs / run).is_dir() else Path(run)
    if folder.name in ("", ".."):
        folder = folder.resolve()
    dataset, labeler = _names_in(folder)
    if not folder.is_dir():
        known = sorted(path.name for path in runs.glob("*") if _is_run(path))
        wrong = f"there is no run '{run}', neither in {runs} nor as a path"
        raise UserError(wrong, f"Runs: {', '.join(known) or 'none'}. Name one, or its folder with --runs.")
    if not _is_run(folder):
        wrong = f"{folder} is no run: those are called <dataset>-<labeler>"
        raise UserError(wrong, f"Labelers: {', '.join(sorted(LABELERS))}.")
    given = dataset if dataset in known_datasets() else f"<the .toml or .csv of {dataset}>"
    return Paths(given, labeler, data_root, folder.parent, None, dataset)


def _names_in(folder: Path) -> tuple[str, str]:
    """Names of dataset and labeler in that of a run's folder."""
    dataset, _, labeler = folder.name.rpartition("-")
    return dataset, labeler_of_folder(labeler)


def _is_run(folder: Path) -> bool:
    """Whether a folder is called as a run of a labeler that is known, or was when it stored masks there."""
    dataset, labeler = _names_in(folder)
    return bool(dataset and labeler) and (labeler in registry.names(registry.LABELER) or (folder / "masks").is_dir())


def find_places(paths: Paths) -> list[RunFolder]:
    """What the stages of a run have written, then its experiments, tables and exported networks; with an experiment in
    the paths, of all experiments that one. A stage that has not run has a place as well.
    """
    tables = TablesPaths.of(paths)
    run = replace(paths, trained_on=None, experiment="")
    found = [_stage("data", run), _stage("labeler", run), _stage("masks", run)]
    if not (needs_training(paths.labeler, {}) and found[1].used):
        found.pop(1)  # another labeler's, or the weights came from elsewhere
    found += [_stage("train", run), _stage("eval", run), *_evaluations_from(run), *_export(run)]
    experiments = [paths.experiment] if paths.experiment else _names(paths.runs / paths.run_name / EXPERIMENTS)
    of_tables = {attempt["experiment"] for attempt in read_attempts(tables)}
    command = _tables_command(tables, run)
    for name in experiments:
        own = replace(run, experiment=name)
        trained = [place for place in (_stage("train", own), _stage("eval", own)) if place.used]
        for place in (*trained, *_evaluations_from(own), *_export(own)):
            if name in of_tables and place.stage != EXPORT:
                place.checks = Checks(command)  # it knows the options of its experiments
            found.append(place)
    if tables.folder.is_dir() and not paths.experiment:
        found.append(RunFolder(TABLES, tables.folder, run, Checks(command)))
    return found


def _stage(name: str, paths: Paths) -> RunFolder:
    return RunFolder(name, paths.folder(name), paths, Checks(driver.command(name, paths)))


def _evaluations_from(paths: Paths) -> Iterator[RunFolder]:
    """Evaluations with checkpoints of other runs or experiments."""
    owner = paths.folder("train").parent
    trainings = [*paths.runs.glob("*/train"), *paths.runs.glob(f"*/{EXPERIMENTS}/*/train")]
    names = [folder.parent.relative_to(paths.runs).as_posix() for folder in trainings]
    called = {name.replace("/", "-"): name for name in names}
    for name in _names(owner):
        if name.startswith(EVALUATIONS_FROM):
            source = name.removeprefix(EVALUATIONS_FROM)
            yield _stage("eval", replace(paths, trained_on=called.get(source, source)))


def _export(paths: Paths) -> Iterator[RunFolder]:
    training = paths.folder("train")
    files = Exported.of(training)
    if files.folder.is_dir():
        name = training.parent.relative_to(paths.runs).as_posix()
        yield RunFolder(EXPORT, files.folder, paths, Checks(f"sorn export {shlex.quote(name)}"))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if path.is_dir())


def _tables_command(files: TablesPaths, paths: Paths) -> str:
    """What made the tables, where they still say it."""
    try:
        return str(read_json(files.json)["command"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"make tables DATASET={paths.dataset} LABELER={paths.labeler}"
