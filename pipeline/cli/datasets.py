"""`sorn datasets`, `labelers`, `data check` and `data coco`: what can be used, and whether it is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, data_root_option
from pipeline.cli.stages import data
from pipeline.datasets.manifest import known_datasets, load_manifest
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.labelers import listing, registry


@click.command("datasets", epilog=examples("sorn datasets"))
def datasets() -> None:
    """List the known datasets."""
    for name in known_datasets():
        click.echo(f"{name:16} {load_manifest(name).title}")


@click.command("labelers", short_help="List labelers and their options.", epilog=examples("sorn labelers"))
def labelers() -> None:
    """List labelers and their options, for --set masks.options.NAME=VALUE; then keypoint finders and theirs, for
    masks.keypoint_options. Those of other packages are named with their package, or with the reason why they fail.
    """
    for kind in registry.KINDS:
        for listed in [*listing.list_built_in(kind), *listing.list_outside(kind)]:
            word = kind.word.capitalize()
            whose = f"{word} `{listed.name}` of {listed.package}: " if listed.package else ""
            click.echo(whose + (f"cannot be used. {listed.wrong}" if listed.wrong else listed.about))
            for option, default in listed.options.items():
                click.echo(f"    {option} = {json.dumps(default, default=str)}")


@data.command(
    "check", epilog=examples("sorn data check market1501 --data-root /data", "sorn data check mine.csv --decode")
)
@click.argument("dataset")
@data_root_option
@click.option("--decode", is_flag=True, help="Decode every image, not only its header.")
def data_check(dataset: str, data_root: Path, decode: bool) -> None:
    """Say on one screen what was found of DATASET, what was expected, and how to repair it."""
    from pipeline.datasets.check import check

    report = check(load_manifest(dataset), data_root, decode=decode)
    click.echo(report.text())
    sys.exit(0 if report.usable else 1)


@data.command("coco", epilog=examples("sorn data coco densepose_coco_2014_train.json --images train2014 --out people"))
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
