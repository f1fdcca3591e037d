"""The command line, `sorn` or `python -m pipeline`: parses, calls one stage, prints. No logic, no torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pipeline.cli import results, search, tables
from pipeline.cli.options import FOLDER, common, data_root_option, stages
from pipeline.datasets.manifest import known_datasets, load_manifest
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.labelers import LABELERS, about
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.layout import Comparison
from pipeline.runs.run import Run
from pipeline.runtime.logs import log_to_terminal
from pipeline.stages import driver
from pipeline.tools.clean import clean as clean_run


class Commands(click.Group):
    """Turns a UserError into one sentence and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        log_to_terminal()
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


def run_stage(name: str, run: Run, force: bool) -> None:
    driver.execute(stages(), name, run, force)


def stage_command(name: str, text: str) -> None:
    """Add `sorn NAME`: run that stage if it is stale, refuse if the one before is."""

    @main.command(name, help=text)
    @common
    @click.option("--force", is_flag=True, help="Run even if nothing changed.")
    def command(run: Run, force: bool) -> None:
        run_stage(name, run, force)


@main.command("labeler")
@common
@click.option("--force", is_flag=True, help="Run even if nothing changed.")
@click.option("--if-needed", is_flag=True, help="Only if the labeler of this run is one that is trained here.")
def labeler(run: Run, force: bool, if_needed: bool) -> None:
    """Before stage 1: train the labeler DANet on the images with exact masks of the split `labeler`
    (runs/<dataset>/labeler).
    """
    if not if_needed or "labeler" in driver.chain(run):
        run_stage("labeler", run, force)


@main.group("masks", invoke_without_command=True)
@common
@click.option("--force", is_flag=True, help="Run even if nothing changed.")
def masks(run: Run, force: bool) -> None:
    """Stage 1: label body parts and write image+mask shards and a label report (runs/<dataset>-<labeler>/masks)."""
    context = click.get_current_context()
    if context.invoked_subcommand is None:
        run_stage("masks", run, force)
    elif any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
        wrong = f"options of the stage stand before '{context.invoked_subcommand}', which does not run it"
        raise UserError(wrong, f"Put its own behind it; see: sorn masks {context.invoked_subcommand} --help")


@masks.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--runs", default="runs", show_default=True, type=FOLDER, help="Folder of all outputs.")
@click.option("--out", type=FOLDER, help="Folder for the comparison. Default: compare-A-B in --runs.")
@click.option("--config", "config_name", default="paper", show_default=True, help="What says how stripes are chosen.")
@click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.FIELD=VALUE", help="E.g. eval.tau=0.2, model.stripes=6."
)
@click.option("--workers", default=2, show_default=True, help="Threads; never changes a result.")
def masks_compare(
    a: str, b: str, runs: Path, out: Path | None, config_name: str, overrides: tuple[str, ...], workers: int
) -> None:
    """Say how far two labelers agree on the images that both labelled.

    A and B are runs (synped_demo-danet) or paths of masks folders. Classes are compared pixel by pixel, and the stripes
    that matching would use; the images that agree least are named and shown.
    """
    from pipeline.reports.labels.compare import compare_labels, find_index, label_name

    config = load_config(config_name, overrides, Runtime(workers))
    indices = (find_index(runs, a), find_index(runs, b))
    names = (label_name(indices[0]), label_name(indices[1]))
    compare_labels(config, indices, Comparison(out) if out else Comparison.of(runs, names))


stage_command("train", "Stage 2: train SORN on the shards; goes on where it was interrupted (.../train).")
stage_command("eval", "Stage 3: extract features, match, write features.h5 and the report (.../eval).")


@main.group()
def data() -> None:
    """Find, check or render a dataset."""


@data.command("prepare")
@common
@click.option("--force", is_flag=True, help="Run even if nothing changed.")
def data_prepare(run: Run, force: bool) -> None:
    """Stage 0: find the images (or render SynPed) and write records.csv (runs/<dataset>/data)."""
    run_stage("data", run, force)


@data.command("check")
@click.argument("dataset")
@data_root_option
@click.option("--decode", is_flag=True, help="Decode every image, not only its header.")
def data_check(dataset: str, data_root: Path, decode: bool) -> None:
    """Say on one screen what was found of DATASET, what was expected, and how to repair it."""
    from pipeline.datasets.check import check

    report = check(load_manifest(dataset), data_root, decode=decode)
    click.echo(report.text())
    sys.exit(0 if report.usable else 1)


@data.command("coco")
@click.argument("annotations", type=FOLDER)
@click.option("--images", required=True, type=FOLDER, help="Folder of COCO's images of this split, e.g. train2014.")
@click.option("--out", required=True, type=FOLDER, help="New folder for crops and masks, or one to go on with.")
@click.option("--margin", default=0.1, show_default=True, help="Surroundings on each side, as a share of the box.")
@click.option("--min-height", default=32, show_default=True, help="Boxes lower than this many pixels are left out.")
@click.option("--workers", default=2, show_default=True, help="Threads; never changes a result.")
def data_coco(annotations: Path, images: Path, out: Path, margin: float, min_height: int, workers: int) -> None:
    """Make DensePose-COCO's ANNOTATIONS (JSON) a dataset to train the labeler on: crops of people and part masks."""
    from pipeline.datasets.coco.convert import CropOptions, convert

    try:
        options = CropOptions(margin, min_height)
    except ValueError as error:
        raise UserError(str(error), WRONG_OPTION) from error
    click.echo(convert(annotations, images, out, options, workers).text())


@main.command("doctor")
@data_root_option
@click.option("--runs", default="runs", show_default=True, type=FOLDER, help="Folder of all outputs.")
@click.option("--weights", multiple=True, type=FOLDER, metavar="FILE", help="Say what these weights are; repeatable.")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
def doctor(data_root: Path, runs: Path, weights: tuple[Path, ...], machine: bool) -> None:
    """Say what this machine and environment can run, and what to type where they cannot; 1 if not even the demo."""
    from pipeline.tools.doctor.doctor import as_json, diagnose, summary, usable

    checks = []
    for check in diagnose(runs, data_root, weights):
        checks.append(check)
        if not machine:
            click.echo(check.text())
    click.echo(as_json(checks) if machine else summary(checks))
    sys.exit(0 if usable(checks) else 1)


main.add_command(results.export)
main.add_command(results.report)
main.add_command(results.verify)
main.add_command(search.embed)
main.add_command(search.search)
main.add_command(tables.tables)


@main.command("datasets")
def datasets() -> None:
    """List the known datasets."""
    for name in known_datasets():
        click.echo(f"{name:16} {load_manifest(name).title}")


@main.command("labelers")
def labelers() -> None:
    """List the labelers and their options, for --set masks.options.NAME=VALUE."""
    for name in sorted(LABELERS):
        sentence, options = about(name)
        click.echo(sentence)
        for option, default in options.items():
            click.echo(f"    {option} = {json.dumps(default)}")


@main.command("status")
@common
def status(run: Run) -> None:
    """Say for each stage whether it is fresh, and if not, why and what to type."""
    available = stages()
    for name in driver.chain(run):
        found = driver.state(available[name], run)
        click.echo(f"{name:7} {'stale' if found.reasons else 'fresh'}  {found.folder}")
        for reason in found.reasons:
            click.echo(f"          {reason}")
        if found.reasons:
            click.echo(f"          -> {found.remedy}")


@main.command("clean")
@common
def clean(run: Run) -> None:
    """Remove the outputs of this dataset and labeler, with its experiments and tables. The dataset stays, and so does
    every file that this tool did not write.
    """
    cleaned = clean_run(run)
    for folder in cleaned.removed:
        click.echo(f"removed {folder}")
    for file in cleaned.kept:
        click.echo(f"kept {file}: this tool did not write it")
    if not cleaned.removed:
        click.echo(f"nothing to remove for {run.paths.run_name} in {run.paths.runs}")
