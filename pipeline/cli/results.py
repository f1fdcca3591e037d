"""Commands `sorn runs`, `sorn report`, `sorn export` and `sorn verify`: finished runs.

No torch at import time.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, common_for_outputs, data_root_option, runs_option, stages
from pipeline.cli.run_argument import require_experiment
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.runs.find import find_training
from pipeline.runs.layout import EXPORT
from pipeline.runs.result_paths import Exported
from pipeline.runs.run import Run
from pipeline.runs.shipped import ships


@click.command(
    "runs",
    short_help="List all trainings and evaluations, and write a page of them.",
    epilog=examples("sorn runs", "sorn runs --runs /results"),
)
@runs_option
def all_runs(runs: Path) -> None:
    """List every training and evaluation, and write a page of them.

    The page is index.html in the folder of runs. By dataset: figures with their intervals, what differs between the
    runs, dates, and links to the reports. A matrix shows each network on each dataset, with the commands of the missing
    cells. No figure is computed.
    """
    from pipeline.tools.overview.build import write_overview

    write_overview(runs)


@click.command(
    "export",
    short_help="Write a trained network, or features, for other programs.",
    epilog=examples(
        "sorn export synped_demo-danet",
        "sorn export synped_demo-danet --format onnx --out model",
        "sorn export starter --tracker",
        "sorn export synped_demo-danet --features parquet",
    ),
)
@click.argument("run")
@runs_option
@click.option("--out", type=FOLDER, help="Folder for the files. Default: export, beside the run's train.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["torch", "onnx", "openvino", "both"]),
    help="Default: torch and onnx; with --tracker onnx, and openvino where it is installed.",
)
@click.option("--tau", default=0.15, show_default=True, help="Visibility threshold recorded in the file.")
@click.option("--tracker", is_flag=True, help="For trackers: normalised float images in, one vector of length 1 out.")
@click.option(
    "--vector",
    type=click.Choice(["joined", "global"]),
    default="joined",
    show_default=True,
    help="With --tracker: the global feature and the visible stripes, or the global feature alone, which is shorter.",
)
@click.option(
    "--features",
    type=click.Choice(["npz", "parquet", "faiss"]),
    help="In place of the network: the features of the run's queries and gallery, or of a bank of sorn embed.",
)
def export(
    run: str,
    runs: Path,
    out: Path | None,
    format_: str | None,
    tau: float,
    tracker: bool,
    vector: str,
    features: str | None,
) -> None:
    """Write a trained network as sorn.pt2 (torch.export) and sorn.onnx.

    The outputs of each file are compared with those of the original network. RUN is a run (synped_demo-danet), the
    folder of a training, or a network that ships. Input: uint8 RGB images of the network's size, in batches of any
    size; the file normalises them. Outputs, float32: global, local, visibility; match.py beside them computes
    similarities.
    """
    if features:
        if tracker or format_:
            raise UserError("--features writes no network, so --tracker and --format mean nothing", WRONG_OPTION)
        from pipeline.tools.export.features import export_features

        export_features(run, runs, out, features, tau)
        return
    training = find_training(run, runs)
    beside = runs / training.name / EXPORT if ships(training) else None  # nothing is written into the program
    files = Exported(out) if out else Exported(beside) if beside else Exported.of(training)
    named = None if format_ in (None, "both") else (format_,)
    if tracker:
        from pipeline.tools.export.tracker import TrackerOptions, export_tracker

        with _option_errors():
            for_tracker = TrackerOptions(named or (), tau, vector)
        export_tracker(training, files, for_tracker)
    else:
        from pipeline.tools.export.export import FORMATS, ExportOptions
        from pipeline.tools.export.export import export as export_network

        with _option_errors():
            options = ExportOptions(named or FORMATS, tau)
        export_network(training, files, options)


@contextlib.contextmanager
def _option_errors() -> Iterator[None]:
    """Context that turns a wrong value of an option into a UserError."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error), WRONG_OPTION) from error


@click.group(epilog=examples("sorn report compare synped_demo-danet synped_demo-import"))
def report() -> None:
    """Comparison and map of evaluations."""


@report.command("compare", epilog=examples("sorn report compare synped_demo-danet synped_demo-import --metric rank-1"))
@click.argument("compared", nargs=-1, required=True, metavar="RUN RUN...")
@runs_option
@click.option("--out", type=FOLDER, help="Folder for the comparison. Default: compare-reports-A-B in --runs.")
@click.option("--variant", help="Variant of matching, e.g. global. Default: the fullest that all runs have.")
@click.option("--metric", default="mAP", show_default=True, help="Figure by which a query is better or worse.")
def report_compare(compared: tuple[str, ...], runs: Path, out: Path | None, variant: str | None, metric: str) -> None:
    """Compare evaluations of the same queries, with confidence intervals.

    The queries that changed most are shown. Every other RUN is compared with the first one. A RUN is a run
    (synped_demo-danet) or the path of an eval folder.
    """
    from pipeline.reports.comparison.build import compare_runs

    compare_runs(list(compared), runs, out, variant, metric)


@report.command("map", epilog=examples("sorn report map synped_demo-danet", "sorn report map synped-danet --by pca"))
@click.argument("run")
@runs_option
@data_root_option
@click.option(
    "--by", default="auto", show_default=True, help="Projection: pca, tsne (scikit-learn) or umap (umap-learn)."
)
@click.option("--images", default=2000, show_default=True, help="Number of images at most; whole persons are drawn.")
@click.option("--seed", default=0, show_default=True, help="Seed of the drawing and of the projection.")
@click.option("--out", type=FOLDER, help="File of the page. Default: map.html beside the report.")
def report_map(run: str, runs: Path, data_root: Path, by: str, images: int, seed: int, out: Path | None) -> None:
    """Write a map of the features of RUN, with pictures.

    The page is one file. It can be zoomed and moved; a person can be searched, and an image shows all images of its
    person. auto takes t-SNE where scikit-learn is installed, and PCA elsewhere. RUN is a run (synped_demo-danet) or the
    path of an eval folder.
    """
    from pipeline.reports.map.build import MapOptions, write_map

    write_map(Run.find(run, runs, data_root), MapOptions(by, images, seed, out))


@click.command(
    "verify",
    short_help="Read every file of a run and name what is broken.",
    epilog=examples("sorn verify synped_demo-danet", "sorn verify runs/synped_demo-danet --images"),
)
@common_for_outputs
@click.option("--images", is_flag=True, help="Read the dataset's pictures as well, and compare them with records.csv.")
def verify(run: Run, images: bool) -> None:
    """Check that all files of RUN are unchanged and consistent.

    RUN is a run (synped_demo-danet) or its folder. Without it, --dataset and --labeler name the run. Checked are all
    digests, counts and cross-references: stamps, records, shards, checkpoints, features, reports, experiments, tables
    and exports. A broken file is named with the command that repairs it. Nothing is written or repaired. The exit code
    is 1 if anything is broken.
    """
    from pipeline.tools.verify.verification import Verification

    require_experiment(run.paths)
    start = time.monotonic()
    result = Verification(stages(), run, images).verify()
    for place in result.places:
        click.echo(f"{place.said:10}  {place.folder}")
        for reason in place.stale:
            click.echo(f"            {reason}")
        for fault in place.checks.faults:
            click.echo(f"            {fault.wrong}")
            click.echo(f"            -> {fault.remedy}")
        if place.said in ("stale", "unfinished"):
            click.echo(f"            -> Run: {place.checks.again}")
    if not result.whole and result.guessed:
        click.echo("Run the commands with the CONFIG, KEYPOINTS and ARGS that the run was made with.")
    counts = f"{result.files} files, {result.bytes:,} bytes, {result.checks:,} checks"
    click.echo(f"verify: {counts} in {time.monotonic() - start:.1f} s: {result.verdict()}")
    sys.exit(0 if result.whole else 1)
