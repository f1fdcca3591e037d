"""Output folders of a run: of its stages, experiments, tables and exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.runs.command import OWN
from pipeline.runs.find import folder_names, full_name_of
from pipeline.runs.layout import EVALUATIONS_FROM, EXPERIMENTS, EXPORT, TABLES
from pipeline.runs.result_paths import Exported, TablesPaths
from pipeline.runs.run import STAGES, Run

SHARED = tuple(name for name in STAGES if name not in OWN)


@dataclass(frozen=True)
class OutputFolder:
    """Output folder of a run.

    stage: name of its stage, or TABLES or EXPORT. run: as the stage takes it.
    """

    stage: str
    folder: Path
    run: Run


def output_folders(run: Run) -> list[OutputFolder]:
    """Output folders of a run.

    Folders of stages and tables are listed even if they do not exist. Experiments, exports and evaluations with other
    checkpoints are listed if they exist. For an experiment, the tables and other experiments are left out.
    """
    plain = run.at_other(experiment="", trained_on=None)
    owners = [plain]
    if run.paths.experiment:
        owners.append(run.at_other(trained_on=None))
    else:
        names = folder_names(run.paths.runs / run.paths.run_name / EXPERIMENTS)
        owners += [plain.at_other(experiment=name) for name in names]
    folders = [OutputFolder(name, run.paths.folder(name), plain) for name in SHARED]
    folders += [folder for owner in owners for folder in _owned(owner)]
    if not run.paths.experiment:
        folders.append(OutputFolder(TABLES, TablesPaths.of(run.paths).folder, plain))
    return folders


def _owned(run: Run) -> Iterator[OutputFolder]:
    """Folders of one experiment, or of the run's own training and evaluation."""
    for name in OWN:
        yield OutputFolder(name, run.paths.folder(name), run)
    owner = run.paths.folder("train").parent
    for name in folder_names(owner):
        if name.startswith(EVALUATIONS_FROM):
            source = full_name_of(name.removeprefix(EVALUATIONS_FROM), run.paths.runs)
            yield OutputFolder("eval", owner / name, run.at_other(trained_on=source))
    exported = Exported.of(run.paths.folder("train")).folder
    if exported.is_dir():
        yield OutputFolder(EXPORT, exported, run)
