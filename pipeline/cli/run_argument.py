"""RUN as an argument: which dataset, labeler, experiment and checkpoint the name of a run stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.datasets.manifest import known_datasets, load_manifest
from pipeline.errors import UserError, did_you_mean, nearest
from pipeline.runs.find import find_run
from pipeline.runs.layout import EVALUATIONS_FROM, EXPERIMENTS, Paths

RUN_HELP = (
    "RUN is a run (synped_demo-danet), an experiment (synped_demo-danet/experiments/small), or the folder of one."
)
NAMING = ("labeler", "trained_on", "experiment")  # options that name a run, besides the dataset
STAGE_FOLDERS = ("masks", "train", "eval")
HOLDS = (*STAGE_FOLDERS, EXPERIMENTS)  # folders of which a run has one


def find_named(run: str, runs: Path, data_root: Path) -> Paths:
    """The run meant by a name below `runs` or by a path: a run, an experiment, or a folder of a stage in either.

    Raises UserError for none.
    """
    from pipeline.tools.verify.folders import find_paths

    if run in known_datasets():
        raise UserError(f"'{run}' is a dataset, and a run is called <dataset>-<labeler>", f"Write: --dataset {run}")
    folder = runs / run if (runs / run).is_dir() else Path(run)
    if not folder.is_dir() and folder.parent.name == EXPERIMENTS:
        raise no_experiment(folder.name, _folders(_base(folder.parent, runs)), folder.parent.parent.name)
    if not folder.is_dir():
        known = [path.name for path in _folders(runs) if any((path / name).is_dir() for name in HOLDS)]
        name = nearest(run, known)
        if name:
            raise UserError(f"there is no run '{run}' in {runs}", f"Did you mean {name}? Runs: {', '.join(known)}.")
    source, experiment = None, ""
    if folder.name.startswith(EVALUATIONS_FROM):
        source, folder = _trained(folder.name.removeprefix(EVALUATIONS_FROM), runs), folder.parent
    elif folder.name in STAGE_FOLDERS and folder.is_dir():
        folder = folder.parent
    if folder.parent.name == EXPERIMENTS:
        experiment, folder = folder.name, folder.parent.parent
    name = run if (experiment, source) == ("", None) and folder.name == Path(run).name else str(folder)
    return replace(find_paths(name, runs, data_root), trained_on=source, experiment=experiment)


def complete(named: Paths, run: str, dataset: str, needs_dataset: bool) -> Paths:
    """The paths of RUN with its dataset as a user types it. dataset: what --dataset says, or its default.

    Raises UserError for an option that names another run, and for a dataset that the name of a run does not lead to.
    """
    context = click.get_current_context()
    given = {name for name in (*NAMING, "dataset") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if "dataset" in given and named.name not in known_datasets() and load_manifest(dataset).name == named.name:
        given.remove("dataset")
        named = replace(named, dataset=dataset)
    for name in sorted(given):
        option = name.replace("_", "-")
        raise UserError(f"'{run}' says which run is meant, and so does --{option}", f"Leave --{option} out.")
    if needs_dataset and named.dataset.startswith("<"):
        wrong = f"the dataset of '{run}' is a file, and the run's name does not tell which"
        raise UserError(wrong, f"Name it, too: --dataset {named.name}.csv, or the .toml of that name.")
    return named


def require_experiment(paths: Paths) -> None:
    """Raise UserError for an experiment that is not there, while one of almost the same name is."""
    meant = nearest_experiment(paths)
    if meant:
        raise no_experiment(paths.experiment, _folders(paths.runs / paths.run_name / EXPERIMENTS), paths.run_name)


def nearest_experiment(paths: Paths) -> str:
    """Name of the experiment that a name without a folder probably means, "" for none."""
    known = [path.name for path in _folders(paths.runs / paths.run_name / EXPERIMENTS)]
    return "" if not paths.experiment or paths.experiment in known else nearest(paths.experiment, known)


def no_experiment(experiment: str, folders: list[Path], run: str) -> UserError:
    known = [path.name for path in folders]
    remedy = f"{did_you_mean(experiment, known)}Experiments there: {', '.join(known) or 'none'}."
    return UserError(f"there is no experiment '{experiment}' of {run}", remedy)


def _trained(spelled: str, runs: Path) -> str:
    """The run that an evaluation's folder spells with "-" for "/"."""
    head, middle, experiment = spelled.partition(f"-{EXPERIMENTS}-")
    return find_run(runs, f"{head}/{EXPERIMENTS}/{experiment}" if middle else spelled)


def _base(folder: Path, runs: Path) -> Path:
    return runs / folder if (runs / folder).is_dir() else folder


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob("*") if path.is_dir())
