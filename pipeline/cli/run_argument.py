"""Argument RUN: its dataset, labeler, experiment and checkpoint."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.datasets.manifest import known_datasets, load_manifest
from pipeline.errors import UserError, did_you_mean, nearest
from pipeline.runs.find import folder_names, is_run
from pipeline.runs.layout import EXPERIMENTS, Paths, labeler_of_folder
from pipeline.runs.run import UNKNOWN_FILE, Run

RUN_HELP = (
    "RUN is a run (synped_demo-danet), an experiment (synped_demo-danet/experiments/small), or the folder of one."
)
NAMING = ("labeler", "trained_on", "experiment")  # options that name a run, besides the dataset


def complete(named: Run, run: str, dataset: str, needs_dataset: bool) -> Run:
    """Run with its dataset as a user types it.

    dataset: the value of --dataset, or its default. Raises UserError for an option that names another run, and for a
    dataset file that the name of the run does not identify.
    """
    context = click.get_current_context()
    given = {name for name in (*NAMING, "dataset") if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    name = named.paths.name
    if "dataset" in given and name not in known_datasets() and load_manifest(dataset).name == name:
        given.remove("dataset")
        named = named.of_dataset(dataset)
    for option in sorted(given):
        typed = option.replace("_", "-")
        raise UserError(f"both '{run}' and --{typed} name the run", f"Leave --{typed} out.")
    if needs_dataset and named.paths.dataset.startswith(UNKNOWN_FILE):
        wrong = f"the dataset of '{run}' is a file, and the name of the run does not contain its path"
        raise UserError(wrong, f"Name it, too: --dataset {name}.csv, or the .toml of that name.")
    return named


def require_experiment(paths: Paths) -> None:
    """Check against a misspelt experiment.

    Raises UserError if the experiment does not exist and another one has almost the same name.
    """
    if nearest_experiment(paths):
        raise no_experiment(paths.experiment, _folders(paths.runs / paths.run_name / EXPERIMENTS), paths.run_name)


def nearest_experiment(paths: Paths) -> str:
    """Name of the experiment nearest to a misspelt one.

    Returns "" if the experiment exists or no name is near.
    """
    known = [path.name for path in _folders(paths.runs / paths.run_name / EXPERIMENTS)]
    return "" if not paths.experiment or paths.experiment in known else nearest(paths.experiment, known)


def other_labelers(paths: Paths) -> str:
    """Labelers of a dataset's runs, in words.

    Returns "" if it has no run, or one with this labeler.
    """
    found = [name for name in folder_names(paths.runs) if name.rpartition("-")[0] == paths.dataset_name]
    labelers = [labeler_of_folder(name.rpartition("-")[2]) for name in found if is_run(paths.runs / name)]
    if not labelers or paths.labeler in labelers:
        return ""
    return (
        f"There is no run with LABELER={paths.labeler} yet; there is one with: LABELER={', LABELER='.join(labelers)}."
    )


def no_experiment(experiment: str, folders: list[Path], run: str) -> UserError:
    known = [path.name for path in folders]
    remedy = f"{did_you_mean(experiment, known)}Experiments there: {', '.join(known) or 'none'}."
    return UserError(f"there is no experiment '{experiment}' of {run}", remedy)


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob("*") if path.is_dir())
