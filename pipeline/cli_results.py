"""`sorn export` and `sorn report compare`, for runs that are finished: parse, call, print. No logic, no torch."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.errors import UserError
from pipeline.layout import Exported
from pipeline.trained_run import find_training

FOLDER = click.Path(path_type=Path)


@click.command("export")
@click.argument("run")
@click.option("--runs", default="runs", show_default=True, type=FOLDER, help="Folder of all outputs.")
@click.option("--out", type=FOLDER, help="Folder for the files. Default: export, beside the run's train.")
@click.option("--format", "format_", type=click.Choice(["torch", "onnx", "both"]), default="both", show_default=True)
@click.option("--tau", default=0.15, show_default=True, help="Visibility threshold that the file names.")
def export(run: str, runs: Path, out: Path | None, format_: str, tau: float) -> None:
    """Write a trained network as sorn.pt2 (torch.export) and sorn.onnx, and prove that they compute the same.

    RUN is a run (synped_demo-danet) or the folder of a training. Input: uint8 RGB images of the network's size, in
    batches of any size; the file normalises them. Outputs, float32: global, local, visibility.
    """
    from pipeline.export import FORMATS, ExportOptions
    from pipeline.export import export as export_network

    try:
        options = ExportOptions(FORMATS if format_ == "both" else (format_,), tau)
    except ValueError as error:
        raise UserError(str(error), "See --help.") from error
    training = find_training(run, runs)
    export_network(training, Exported(out) if out else Exported.of(training), options)


@click.group()
def report() -> None:
    """Put evaluations side by side."""


@report.command("compare")
@click.argument("compared", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--runs", default="runs", show_default=True, type=FOLDER, help="Folder of all outputs.")
@click.option("--out", type=FOLDER, help="Folder for the comparison. Default: compare-reports-A-B in --runs.")
@click.option("--variant", help="What is compared, e.g. global. Default: the fullest that all runs have.")
@click.option("--metric", default="mAP", show_default=True, help="What says that a query got better or worse.")
def report_compare(compared: tuple[str, ...], runs: Path, out: Path | None, variant: str | None, metric: str) -> None:
    """Say how far evaluations of the same queries differ, with intervals, and which queries changed most.

    The first RUN is what the others are held against; each is a run (synped_demo-danet) or the path of an eval folder.
    """
    from pipeline.report.run_comparison import compare_runs

    compare_runs(list(compared), runs, out, variant, metric)
