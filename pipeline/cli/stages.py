"""Commands of the stages, `sorn status` and `sorn clean`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import labels
from pipeline.cli.commands import StageCommand, examples
from pipeline.cli.options import FOLDER, common, common_for_outputs, force_option, runs_option, stages
from pipeline.cli.run_argument import RUN_HELP, nearest_experiment, other_labelers, require_experiment
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config
from pipeline.runs.config_record import setting
from pipeline.runs.result_paths import ComparisonPaths
from pipeline.runs.run import Run
from pipeline.stages import driver

NAMES_A_RUN = f"\n\n{RUN_HELP} Without it, --dataset and --labeler name the run."


def run_stage(name: str, run: Run, force: bool) -> None:
    available = stages()
    driver.warn_of_refusals(available, name, run)
    driver.execute(available, name, run, force)


@click.command(
    "data",
    cls=StageCommand,
    short_help="Find the images (or render SynPed) and write records.csv.",
    help="Stage 0: find the images (or render SynPed), check them, write records.csv (runs/<dataset>/data)."
    + NAMES_A_RUN,
    epilog=examples("sorn data --dataset synped_demo", "sorn data --dataset mine.csv", "sorn data check market1501"),
)
@common
@force_option
def data(run: Run, force: bool) -> None:
    run_stage("data", run, force)


data.group.add_command(
    click.Command(
        "prepare",
        params=list(data.params),
        callback=data.callback,
        help="`sorn data` under its former name.",
        epilog=examples("sorn data prepare --dataset synped_demo"),
        hidden=True,
    )
)


@click.command(
    "labeler",
    short_help="Train the labeler DANet on ground truth.",
    help="Before stage 1: train the labeler DANet on the images with ground truth of the split `labeler` "
    "(runs/<dataset>/labeler)." + NAMES_A_RUN,
    epilog=examples("sorn labeler --dataset synped_demo --config demo", "sorn labeler --if-needed --labeler import"),
)
@common
@force_option
@click.option("--if-needed", is_flag=True, help="Only if the run needs a trained DANet.")
def labeler(run: Run, force: bool, if_needed: bool) -> None:
    if not if_needed or "labeler" in driver.chain(run):
        run_stage("labeler", run, force)


@click.command(
    "masks",
    cls=StageCommand,
    short_help="Label body parts and write shards.",
    help="Stage 1: label body parts and write image+mask shards and a label report (runs/<dataset>-<labeler>/masks)."
    + NAMES_A_RUN,
    epilog=examples(
        "sorn masks --dataset market1501 --labeler densepose",
        "sorn masks --labeler import --set masks.options.folder=parsed --set masks.options.table=lip20",
        "sorn masks compare synped_demo-danet synped_demo-ground_truth",
    ),
)
@common
@force_option
@click.option(
    "--marks",
    type=FOLDER,
    help="Leave the images of a marks.csv out of the segmentation loss (masks.leave_out); see sorn masks page.",
)
def masks(run: Run, force: bool, marks: Path | None) -> None:
    if marks is not None:
        run = run.asked_for("", (setting("masks.leave_out", str(marks)),), None, run.runtime)
    run_stage("masks", run, force)


@masks.command(
    "compare",
    epilog=examples(
        "sorn masks compare synped_demo-danet synped_demo-ground_truth", "sorn masks compare a-danet b --out seen"
    ),
)
@click.argument("a")
@click.argument("b")
@runs_option
@click.option("--out", type=FOLDER, help="Folder for the comparison. Default: compare-A-B in --runs.")
@click.option(
    "--config",
    "config_name",
    default="paper",
    show_default=True,
    help="Preset or .toml file with the options of the stripes.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.FIELD=VALUE", help="E.g. eval.tau=0.2, model.stripes=6."
)
@click.option("--workers", default=2, show_default=True, help="Threads; never changes a result.")
def masks_compare(
    a: str, b: str, runs: Path, out: Path | None, config_name: str, overrides: tuple[str, ...], workers: int
) -> None:
    """Compare two labelers on the images that both labelled.

    A and B are runs (synped_demo-danet) or paths of masks folders. Part classes are compared pixel by pixel, and so are
    the stripes that matching would use. The images with the least agreement are named and shown.
    """
    from pipeline.reports.labels.compare import compare_labels, find_index, label_name

    config = load_config(config_name, overrides, Runtime(workers))
    indices = (find_index(runs, a), find_index(runs, b))
    names = (label_name(indices[0]), label_name(indices[1]))
    compare_labels(config, indices, ComparisonPaths(out) if out else ComparisonPaths.of(runs, names))


masks.group.add_command(labels.score)
masks.group.add_command(labels.page)
masks.group.add_command(labels.export)


@click.command(
    "train",
    short_help="Train SORN on the shards.",
    help="Stage 2: train SORN on the shards (.../train). An interrupted training continues." + NAMES_A_RUN,
    epilog=examples(
        "sorn train synped_demo-danet --config demo",
        "sorn train --dataset market1501 --experiment six --set model.stripes=6",
    ),
)
@common
@force_option
def train(run: Run, force: bool) -> None:
    run_stage("train", run, force)


@click.command(
    "eval",
    short_help="Extract features, match and write the report.",
    help="Stage 3: extract features, match, write features.h5 and the report (.../eval)." + NAMES_A_RUN,
    epilog=examples(
        "sorn eval synped_demo-danet --config demo",
        "sorn eval market1501-densepose/experiments/six --set model.stripes=6 --set eval.tau=0.2",
        "sorn eval --dataset occluded_reid --trained-on market1501",
    ),
)
@common
@force_option
def evaluate(run: Run, force: bool) -> None:
    if not run.paths.trained_on:
        require_experiment(run.paths)
    run_stage("eval", run, force)


@click.command(
    "status",
    short_help="Show which stages are stale, and why.",
    help="Show for each stage whether it is fresh. A stale stage is shown with the reason and the command to run."
    + NAMES_A_RUN,
    epilog=examples("sorn status synped_demo-danet --config demo", "sorn status --dataset market1501"),
)
@common
def status(run: Run) -> None:
    available = stages()
    if run.recalled:
        click.echo(f"with the options that the run was made with: {run.recalled}")
    for name in driver.chain(run):
        state = driver.state(available[name], run)
        click.echo(f"{name:7} {'stale' if state.reasons else 'fresh'}  {state.folder}")
        for reason in state.reasons:
            click.echo(f"          {reason}")
        if state.reasons:
            click.echo(f"          -> {state.remedy}")
    if others := other_labelers(run.paths):
        click.echo(others)
    nearest = nearest_experiment(run.paths)
    if nearest:
        click.echo(f"There is no experiment '{run.paths.experiment}' yet. Did you mean {nearest}?")


@click.command(
    "clean",
    short_help="Remove the outputs of a run.",
    help="Remove the outputs of this dataset and labeler, with its experiments and tables. The dataset stays. Files "
    "that this program did not write stay, too." + NAMES_A_RUN,
    epilog=examples("sorn clean synped_demo-danet", "sorn clean synped_demo-danet/experiments/small"),
)
@common_for_outputs
def clean(run: Run) -> None:
    from pipeline.tools.clean import clean as clean_run

    require_experiment(run.paths)
    cleaned = clean_run(run)
    for folder in cleaned.removed:
        click.echo(f"removed {folder}")
    for file in cleaned.kept:
        click.echo(f"kept {file}: this program did not write it")
    if not cleaned.removed:
        click.echo(f"nothing to remove for {run.paths.run_name} in {run.paths.runs}")
