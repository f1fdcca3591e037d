"""What the commands of all stages share: their options, and the stages themselves. Parses, does nothing. No torch."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline.datasets.manifest import load_manifest
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.labelers import LABELERS, require_known
from pipeline.runs.command import RunCommand
from pipeline.runs.config import BACKENDS, Runtime
from pipeline.runs.config_loading import presets
from pipeline.runs.find import find_trained
from pipeline.runs.layout import Paths
from pipeline.runs.run import STAGES, Run
from pipeline.stages import driver

DATASET_HELP = "Dataset: a name (see `sorn datasets`), a manifest.toml, or a CSV (path,pid,camid,split)."

FOLDER = click.Path(path_type=Path)
data_root_option = click.option(
    "--data-root", default="data", show_default=True, type=FOLDER, help="Folder of the datasets."
)


def stages() -> dict[str, driver.Stage]:
    return {name: importlib.import_module(f"pipeline.stages.{name}") for name in STAGES}


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options all stages share; the command receives (run, **its own)."""

    @click.option("--dataset", default="synped_demo", show_default=True, help=DATASET_HELP)
    @click.option("--labeler", help=f"Who labels: {', '.join(sorted(LABELERS))}. Default: the manifest's.")
    @click.option(
        "--config", "config_name", help=f"Preset ({', '.join(presets())}) or .toml file. Default: the manifest's."
    )
    @click.option(
        "--set", "overrides", multiple=True, metavar="SECTION.FIELD=VALUE", help="Override one option; repeatable."
    )
    @click.option(
        "--init", metavar="WEIGHTS", help="What a training starts from: imagenet, none, or a file (train.init)."
    )
    @data_root_option
    @click.option(
        "--runs", default="runs", show_default=True, type=click.Path(path_type=Path), help="Folder of all outputs."
    )
    @click.option("--trained-on", metavar="DATASET", help="Evaluate with the checkpoint of this dataset's run.")
    @click.option("--experiment", default="", metavar="NAME", help="Train and evaluate under a name, beside others.")
    @click.option("--workers", default=2, show_default=True, help="Worker processes; never changes a result.")
    @click.option(
        "--backend",
        default="threads",
        show_default=True,
        help=f"What labels: {', '.join(BACKENDS)}. All but threads use --workers processes; never changes a result.",
    )
    @click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
    @functools.wraps(command)
    def wrapped(
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
        **own: Any,
    ) -> Any:
        manifest = load_manifest(dataset)
        if labeler:
            require_known(labeler)
        try:
            runtime = Runtime(workers, device, backend)
        except ValueError as error:
            raise UserError(str(error), WRONG_OPTION) from error
        source = find_trained(trained_on, runs).full_name if trained_on else None
        labeler = labeler or manifest.default_labeler
        given = RunCommand(dataset, labeler, config_name or "", overrides, init, source, experiment)
        given = dataclasses.replace(given, data_root=str(data_root), runs=str(runs))
        run = Run(Paths(dataset, labeler, data_root, runs, source, manifest.name, experiment), given, runtime)
        _ = run.config  # a wrong option is told now
        return command(run=run, **own)

    return wrapped
