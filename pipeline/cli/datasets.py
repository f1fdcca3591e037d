"""Commands `sorn datasets`, `labelers`, `data check` and `data coco`."""

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
    """List labelers and keypoint finders with their options.

    Options of a labeler are set with --set masks.options.NAME=VALUE, those of a keypoint finder with --set
    masks.keypoint_options.NAME=VALUE. A plug-in is listed with its package, or with the reason why it cannot be used.
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
    """Check DATASET: expected files, found files, and how to repair the difference.

    The report fits on one screen. The exit code is 1 if the dataset cannot be used.
    """
    from pipeline.datasets.check import check

    report = check(load_manifest(dataset), data_root, decode=decode)
    click.echo(report.text())
    sys.exit(0 if report.usable else 1)


@data.command("coco", epilog=examples("sorn data coco densepose_coco_2014_train.json --images train2014 --out people"))
@click.argument("annotations", type=FOLDER)
@click.option("--images", required=True, type=FOLDER, help="Folder of COCO's images of this split, e.g. train2014.")
@click.option(
    "--out", required=True, type=FOLDER, help="Folder for crops and masks: a new one, or an unfinished one to continue."
)
@click.option("--margin", default=0.1, show_default=True, help="Surroundings on each side, as a share of the box.")
@click.option("--min-height", default=32, show_default=True, help="Boxes lower than this many pixels are left out.")
@click.option("--workers", default=2, show_default=True, help="Threads; never changes a result.")
def data_coco(annotations: Path, images: Path, out: Path, margin: float, min_height: int, workers: int) -> None:
    """Convert DensePose-COCO's ANNOTATIONS (JSON) into a dataset for training the labeler.

    The dataset has one crop and one part mask for each person.
    """
    from pipeline.datasets.coco.convert import CropOptions, convert

    try:
        options = CropOptions(margin, min_height)
    except ValueError as error:
        raise UserError(str(error), WRONG_OPTION) from error
    click.echo(convert(annotations, images, out, options, workers).text())
