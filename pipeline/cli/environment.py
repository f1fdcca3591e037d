"""Commands `sorn options`, `sorn models`, `sorn doctor` and `sorn gpu-check`."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, data_root_option, runs_option


@click.command(
    "options",
    short_help="List the options, their defaults and reasons.",
    epilog=examples("sorn options", "sorn options train", "sorn options model.stripes"),
)
@click.argument("section", required=False, default="")
def options(section: str) -> None:
    """List the options for --set and for configuration files.

    Each option is shown with its type, its default, its reason, and the presets that change it. SECTION is a section
    (train) or one option (model.stripes). For the options of labelers: sorn labelers.
    """
    from pipeline.runs.options import find_options, section_title

    shown = ""
    for option in find_options(section):
        if option.section != shown:
            click.echo(("\n" if shown else "") + section_title(option.section))
            shown = option.section
        click.echo("\n".join(option.lines()))


@click.command(
    "models",
    short_help="List what a training can start from.",
    epilog=examples("sorn models", "sorn models efficientnet_lite0", "sorn models timm:mobilenetv4_conv_small"),
)
@click.argument("name", required=False, default="")
@runs_option
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
def models(name: str, runs: Path, machine: bool) -> None:
    """List backbones with their ImageNet weights, networks that ship, and finished trainings.

    Weights are shown with the place where they are, or with the command that brings them. NAME is one backbone, also
    one of the package timm. Nothing is downloaded.
    """
    from pipeline.tools.models import catalogue, entry

    shown = entry(name) if name else catalogue(runs)
    click.echo(json.dumps(dataclasses.asdict(shown), indent=1) if machine else "\n".join(shown.lines()))


@click.command(
    "doctor",
    short_help="Check what this machine can run.",
    epilog=examples("sorn doctor", "sorn doctor --weights model.pkl --json"),
)
@data_root_option
@runs_option
@click.option("--weights", multiple=True, type=FOLDER, metavar="FILE", help="Describe this weights file; repeatable.")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
def doctor(data_root: Path, runs: Path, weights: tuple[Path, ...], machine: bool) -> None:
    """Check what this machine and this environment can run.

    A failed check is shown with the command that repairs it. The exit code is 1 if the demo cannot run.
    """
    from pipeline.tools.doctor.doctor import as_json, diagnose, summary, usable

    checks = []
    for check in diagnose(runs, data_root, weights):
        checks.append(check)
        if not machine:
            click.echo(check.text())
    click.echo(as_json(checks) if machine else summary(checks))
    sys.exit(0 if usable(checks) else 1)


@click.command(
    "gpu-check",
    short_help="Check training, labels and features on a GPU.",
    epilog=examples("sorn gpu-check", "sorn gpu-check --only matching --only speed", "sorn gpu-check --pretend"),
)
@click.option("--device", default="auto", show_default=True, help="auto, cuda, cuda:1 ...")
@click.option("--pretend", is_flag=True, help="Run the check itself on a CPU, with the smallest sizes.")
@click.option("--only", multiple=True, metavar="ROW", help="Only this row and those it needs; repeatable.")
@click.option("--minutes", default=8.0, show_default=True, help="For all rows; what does not fit is left out.")
@click.option(
    "--out", default=Path("runs/gpu-check.json"), show_default=True, type=FOLDER, metavar="FILE", help="JSON file."
)
def gpu_check(device: str, pretend: bool, only: tuple[str, ...], minutes: float, out: Path) -> None:
    """Check what one GPU computes beside the CPU, and its speed.

    Needs no network and no dataset. The exit code is 1 if a row fails. docs/gpu.md says what the rows mean.
    """
    from pipeline.tools.gpu_check.check import check_gpu
    from pipeline.tools.gpu_check.report import failed

    results = check_gpu(out, click.echo, device, pretend, only, minutes)
    sys.exit(1 if failed(results) else 0)
