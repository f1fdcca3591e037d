"""The command line, `sorn` or `python -m pipeline`: parses, calls one stage, prints. No logic, no torch."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline import driver
from pipeline.config import Config, Runtime, load_config, presets
from pipeline.errors import UserError
from pipeline.labelers import LABELERS, require_known
from pipeline.layout import Paths
from pipeline.manifest import known_datasets, load_manifest
from pipeline.trained_run import find_run, image_size

DATASET_HELP = "Dataset: a name (see `sorn datasets`), a manifest.toml, or a CSV (path,pid,camid,split)."

FOLDER = click.Path(path_type=Path)
data_root_option = click.option(
    "--data-root", default="data", show_default=True, type=FOLDER, help="Folder of the datasets."
)


def stages() -> dict[str, driver.Stage]:
    return {name: importlib.import_module(f"pipeline.stages.{name}") for name in driver.ORDER}


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options all stages share; the command receives (config, paths, **its own)."""

    @click.option("--dataset", default="synped_demo", show_default=True, help=DATASET_HELP)
    @click.option("--labeler", help=f"Who labels: {', '.join(sorted(LABELERS))}. Default: the manifest's.")
    @click.option(
        "--config", "config_name", help=f"Preset ({', '.join(presets())}) or .toml file. Default: the manifest's."
    )
    @click.option(
        "--set", "overrides", multiple=True, metavar="SECTION.FIELD=VALUE", help="Override one option; repeatable."
    )
    @click.option(
        "--data-root",
        default="data",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Folder of the datasets.",
    )
    @click.option(
        "--runs", default="runs", show_default=True, type=click.Path(path_type=Path), help="Folder of all outputs."
    )
    @click.option("--trained-on", metavar="DATASET", help="Evaluate with the checkpoint of this dataset's run.")
    @click.option("--workers", default=2, show_default=True, help="Worker processes; never changes a result.")
    @click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
    @functools.wraps(command)
    def wrapped(
        dataset: str,
        labeler: str | None,
        config_name: str | None,
        overrides: tuple[str, ...],
        data_root: Path,
        runs: Path,
        trained_on: str | None,
        workers: int,
        device: str,
        **own: Any,
    ) -> Any:
        manifest = load_manifest(dataset)
        if labeler:
            require_known(labeler)
        try:
            runtime = Runtime(workers, device)
        except ValueError as error:
            raise UserError(str(error), "See --help.") from error
        source = find_run(runs, trained_on) if trained_on else None
        paths = Paths(dataset, labeler or manifest.default_labeler, data_root, runs, source, manifest.name)
        if source:  # the images must be of the size that the checkpoint knows
            overrides = (f"masks.image_size={list(image_size(paths))}", *overrides)
        config = load_config(config_name or manifest.default_config, overrides, runtime)
        return command(config=config, paths=paths, **own)

    return wrapped


class Commands(click.Group):
    """Turns a UserError into one sentence and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except UserError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="sorn")
def main() -> None:
    """Occluded person re-identification with SORN.

    The stages, in order: data (find or render the images), masks (label body parts, write shards), train, eval. Each
    writes its own folder below --runs and runs only when something it depends on has changed. `make help` shows the
    same stages as make targets, which run what comes before as well.
    """


def run_stage(name: str, config: Config, paths: Paths, force: bool) -> None:
    driver.execute(stages(), name, config, paths, force)


def stage_command(name: str, text: str) -> None:
    """Add `sorn NAME`: run that stage if it is stale, refuse if the one before is."""

    @main.command(name, help=text)
    @common
    @click.option("--force", is_flag=True, help="Run even if nothing changed.")
    def command(config: Config, paths: Paths, force: bool) -> None:
        run_stage(name, config, paths, force)


stage_command("masks", "Stage 1: label body parts and write image+mask shards (runs/<dataset>-<labeler>/masks).")
stage_command("train", "Stage 2: train SORN on the shards; goes on where it was interrupted (.../train).")
stage_command("eval", "Stage 3: extract features, match, write features.h5 and the report (.../eval).")


@main.group()
def data() -> None:
    """Find, check or render a dataset."""


@data.command("prepare")
@common
@click.option("--force", is_flag=True, help="Run even if nothing changed.")
def data_prepare(config: Config, paths: Paths, force: bool) -> None:
    """Stage 0: find the images (or render SynPed) and write records.csv (runs/<dataset>/data)."""
    run_stage("data", config, paths, force)


@data.command("check")
@click.argument("dataset")
@click.option(
    "--data-root", default="data", show_default=True, type=click.Path(path_type=Path), help="Folder of the datasets."
)
@click.option("--decode", is_flag=True, help="Decode every image, not only its header.")
def data_check(dataset: str, data_root: Path, decode: bool) -> None:
    """Say on one screen what was found of DATASET, what was expected, and how to repair it."""
    from pipeline.manifest_check import check

    report = check(load_manifest(dataset), data_root, decode=decode)
    click.echo(report.text())
    sys.exit(0 if report.usable else 1)


@main.command("datasets")
def datasets() -> None:
    """List the known datasets."""
    for name in known_datasets():
        click.echo(f"{name:16} {load_manifest(name).title}")


@main.command("status")
@common
def status(config: Config, paths: Paths) -> None:
    """Say for each stage whether it is fresh, and if not, why and what to type."""
    available = stages()
    for name in driver.chain(paths):
        found = driver.state(available[name], config, paths)
        click.echo(f"{name:6} {'stale' if found.reasons else 'fresh'}  {found.folder}")
        for reason in found.reasons:
            click.echo(f"         {reason}")
        if found.reasons:
            click.echo(f"         -> {found.remedy}")


@main.command("clean")
@common
def clean(config: Config, paths: Paths) -> None:
    """Remove the outputs of this dataset and labeler: records, shards, checkpoint, report. The dataset stays."""
    removed = driver.clean(paths)
    for folder in removed:
        click.echo(f"removed {folder}")
    if not removed:
        click.echo(f"nothing to remove for {paths.run_name} in {paths.runs}")
