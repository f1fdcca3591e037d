"""`sorn options` and `sorn doctor`: what can be set, and what this machine can run."""

from __future__ import annotations

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
    """List the options for --set and for configuration files: type, default, reason, and the presets that change them.

    SECTION is a section (train) or one option (model.stripes). The options of labelers: sorn labelers.
    """
    from pipeline.runs.options import find_options, section_title

    shown = ""
    for option in find_options(section):
        if option.section != shown:
            click.echo(("\n" if shown else "") + section_title(option.section))
            shown = option.section
        click.echo("\n".join(option.lines()))


@click.command(
    "doctor",
    short_help="Say what this machine can run.",
    epilog=examples("sorn doctor", "sorn doctor --weights model.pkl --json"),
)
@data_root_option
@runs_option
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
