"""Options shared by the commands, and the modules of the stages.

Only parses. No torch.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pipeline.cli.run_argument import complete, other_labelers
from pipeline.datasets.manifest import load_manifest
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.labelers import LABELERS, UNLABELED, require_known
from pipeline.runs.config import BACKENDS, Runtime
from pipeline.runs.config_loading import presets
from pipeline.runs.consent import RELABEL, RETRAIN
from pipeline.runs.find import find_trained
from pipeline.runs.layout import Paths
from pipeline.runs.run import STAGES, Run
from pipeline.stages import driver

DATASET_HELP = "Dataset: a name (see `sorn datasets`), a manifest.toml, or a CSV (path,pid,camid,split)."
LABELER_HELP = (
    f"Labeler: {', '.join(sorted(LABELERS))}, a plug-in (see `sorn labelers`), or package.module:Class. "
    "Default: the manifest's."
)

FOLDER = click.Path(path_type=Path)
run_argument = click.argument("run", required=False)
data_root_option = click.option(
    "--data-root", default="data", show_default=True, type=FOLDER, help="Folder of the datasets."
)
runs_option = click.option("--runs", default="runs", show_default=True, type=FOLDER, help="Folder of all outputs.")
force_option = click.option("--force", is_flag=True, help="Run even if nothing changed.")


def stages() -> dict[str, driver.Stage]:
    return {name: importlib.import_module(f"pipeline.stages.{name}") for name in STAGES}


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator with RUN and the options that all stages share.

    The command receives `run` and its own options.
    """
    return _common(command, needs_dataset=True)


def common_for_outputs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator like `common`, for a command that reads outputs only.

    RUN may belong to a dataset whose manifest or list is a file outside the program.
    """
    return _common(command, needs_dataset=False)


def _common(command: Callable[..., Any], needs_dataset: bool) -> Callable[..., Any]:
    @run_argument
    @click.option("--dataset", default="synped_demo", show_default=True, help=DATASET_HELP)
    @click.option("--labeler", help=LABELER_HELP)
    @click.option(
        "--config",
        "config_name",
        help=f"Preset ({', '.join(presets())}) or .toml file. Default: that of the run, else the manifest's.",
    )
    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="SECTION.FIELD=VALUE",
        help="Override one option (see `sorn options`); repeatable.",
    )
    @click.option(
        "--init",
        metavar="WEIGHTS",
        help="Initial weights of a training: imagenet, none, a file, or a network that ships (train.init).",
    )
    @data_root_option
    @runs_option
    @click.option(
        "--trained-on",
        metavar="DATASET",
        help="Evaluate with the checkpoint of this dataset's run, or of a network that ships.",
    )
    @click.option(
        "--experiment", default="", metavar="NAME", help="Train and evaluate under this name, in a folder of its own."
    )
    @click.option("--workers", default=2, show_default=True, help="Worker processes; never changes a result.")
    @click.option(
        "--backend",
        default="threads",
        show_default=True,
        help=f"How labeling runs: {', '.join(BACKENDS)}. All but threads use --workers processes; "
        "never changes a result.",
    )
    @click.option("--relabel", is_flag=True, help="Replace finished labels by those with other options.")
    @click.option("--retrain", is_flag=True, help="Replace a finished training by one with other options.")
    @click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
    @functools.wraps(command)
    def wrapped(
        run: str | None,
        dataset: str,
        labeler: str | None,
        config_name: str | None,
        overrides: tuple[str, ...],
        init: str | None,
        data_root: Path,
        runs: Path,
        trained_on: str | None,
        experiment: str,
        workers: int,
        backend: str,
        device: str,
        relabel: bool,
        retrain: bool,
        **own: Any,
    ) -> Any:
        if run is None:
            named = named_by_options(dataset, labeler, data_root, runs, trained_on, experiment)
        else:
            named = [complete(Run.find(run, runs, data_root), run, dataset, needs_dataset)]
        runtime = _runtime(workers, device, backend)
        chosen = meant([one.asked_for(config_name or "", overrides, init, runtime) for one in named])
        chosen = replace(chosen, consent=consent(relabel, retrain))
        _ = chosen.config  # raises UserError for a wrong option now
        with contextlib.nullcontext() if labeler or run else _naming_other_labelers(chosen.paths):
            return command(run=chosen, **own)

    return wrapped


@contextlib.contextmanager
def _naming_other_labelers(paths: Paths) -> Iterator[None]:
    """Context of a command that names no labeler: an error tells which ones the dataset has runs with."""
    try:
        yield
    except UserError as error:
        others = other_labelers(paths)
        if not others:
            raise
        raise UserError(error.wrong, f"{others} {error.remedy}") from error


def meant(asked: list[Run]) -> Run:
    """Run among the possible ones of a command, the nearest first.

    Options of a labeler are for a run with labels.
    """
    return next((one for one in asked if one.paths.labeler != UNLABELED or not one.config.masks.options), asked[-1])


def consent(relabel: bool, retrain: bool) -> frozenset[str]:
    """Flags by which finished outputs may be replaced."""
    return frozenset(flag for flag, given in ((RELABEL, relabel), (RETRAIN, retrain)) if given)


def _runtime(workers: int, device: str, backend: str) -> Runtime:
    try:
        return Runtime(workers, device, backend)
    except ValueError as error:
        raise UserError(str(error), WRONG_OPTION) from error


def named_by_options(
    dataset: str, labeler: str | None, data_root: Path, runs: Path, trained_on: str | None, experiment: str
) -> list[Run]:
    """Runs that the options can mean, the nearest first."""
    manifest = load_manifest(dataset)
    if labeler:
        require_known(labeler)
    source = find_trained(trained_on, runs).full_name if trained_on else None
    paths = Paths(dataset, labeler or manifest.default_labeler, data_root, runs, source, manifest.name, experiment)
    meant = [paths] if labeler or not source else _for_evaluation(paths)
    return [Run.at(one).as_it_was_made() for one in meant]


def _for_evaluation(paths: Paths) -> list[Paths]:
    """Paths of an evaluation of a foreign checkpoint that names no labeler, the nearest first.

    It needs no labels, so the labeler is `none`, unless the run with the usual one is there. Options of a labeler in
    the configuration are for the usual one.
    """
    unlabelled = replace(paths, labeler=UNLABELED)
    for there, nearest in ((paths.stamp("eval"), paths), (unlabelled.stamp("eval"), unlabelled)):
        if there.is_file():
            return [nearest, paths]
    return [paths] if paths.stamp("masks").is_file() else [unlabelled, paths]
