"""Commands `sorn datasets`, `labelers`, `masks probe`, and those of `data`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, data_root_option
from pipeline.cli.stages import data, masks
from pipeline.datasets.manifest import known_datasets, load_manifest
from pipeline.datasets.own_splits import SplitOptions
from pipeline.datasets.records import ImageRecord
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.labelers import listing, registry

if TYPE_CHECKING:
    from pipeline.datasets.own_images import OwnImages
    from pipeline.labelers.map_probe import ProbedImages


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


@data.command("posetrack", epilog=examples("sorn data posetrack PoseTrack21 --out occluded_posetrack"))
@click.argument("folder", type=FOLDER)
@click.option(
    "--out", required=True, type=FOLDER, help="Folder for crops, joints and the list: a new one, or an unfinished one."
)
def data_posetrack(folder: Path, out: Path) -> None:
    """Convert PoseTrack21 in FOLDER into the dataset Occluded-PoseTrack-ReID.

    FOLDER has images, posetrack_data and, from KPR, occluded_posetrack_reid with train_dataset_sampling.json and
    val_dataset_sampling.json. The output has a crop per sample, a list of them, and their joints for KEYPOINTS=joints.
    """
    from pipeline.datasets.posetrack import convert

    click.echo(convert(folder, out).text())


pattern_option = click.option(
    "--pattern", default="", help="Form of the names, a regular expression with named groups: pid, camid, track."
)


def list_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator with the options of commands that write a list."""
    for option in (
        click.option("--replace", is_flag=True, help="Write over a file of this name with other content."),
        click.option("--seed", default=0, show_default=True, help="Of every random choice."),
        click.option("--val", default=SplitOptions.val, show_default=True, help="Share of the persons for val."),
        click.option(
            "--test", default=SplitOptions.test, show_default=True, help="Share of the persons for the test; 1: all."
        ),
        click.option("--out", type=FOLDER, help="The CSV, above the pictures. Default: own.csv beside FOLDER."),
        click.option("--no-cameras", is_flag=True, help="Take no cameras from the names."),
        pattern_option,
        click.argument("folder", type=FOLDER),
    ):
        command = option(command)
    return command


@data.command(
    "from-folders",
    short_help="Write a list of pictures, a folder per person.",
    epilog=examples(
        "sorn data from-folders people", "sorn data from-folders people --pattern 'kamera(?P<camid>[0-9]+)' --test 1"
    ),
)
@list_options
def data_from_folders(folder: Path, pattern: str, no_cameras: bool, **options: Any) -> None:
    """List the pictures of FOLDER, which has a folder per person.

    The list is own.csv, a dataset. Cameras are taken from the names, where all of them tell one. The persons are
    divided into train, val and test. The screen says what was assumed.
    """
    from pipeline.datasets.own_images import read_folders

    _write_list(read_folders(folder, pattern, not no_cameras), **options)


@data.command(
    "from-names",
    short_help="Write a list of pictures whose names tell the person.",
    epilog=examples(
        "sorn data from-names pictures", "sorn data from-names pictures --pattern 'p(?P<pid>[0-9]+)-k(?P<camid>[0-9]+)'"
    ),
)
@list_options
def data_from_names(folder: Path, pattern: str, no_cameras: bool, **options: Any) -> None:
    """List the pictures of FOLDER, whose names begin with the person.

    The list is own.csv, a dataset. Known are 0007_c3_x.jpg, anna-cam2-1.jpg, 007_05.jpg and the names of MARS. The
    persons are divided into train, val and test. The screen says what was assumed.
    """
    from pipeline.datasets.own_images import read_names

    _write_list(read_names(folder, pattern, not no_cameras), **options)


def _write_list(found: OwnImages, test: float, val: float, seed: int, out: Path | None, replace: bool) -> None:
    from pipeline.datasets.own_list import write_list

    try:
        options = SplitOptions(test, val, seed)
    except ValueError as error:
        raise UserError(str(error), WRONG_OPTION) from error
    click.echo(write_list(found, options, out, replace).text())


@masks.command(
    "probe",
    epilog=examples("sorn masks probe parsed --images market1501 --data-root /data", "sorn masks probe parsed"),
)
@click.argument("folder", type=FOLDER)
@click.option(
    "--images", help="The images of the files: a dataset, of which those of the split train count, or a folder."
)
@data_root_option
def masks_probe(folder: Path, images: str | None, data_root: Path) -> None:
    """Look at another tool's files, and print the command that imports them.

    It shows what their names, formats, sizes and ids are, which class tables fit them, and why others do not. Of many
    files a sample is looked at. The exit code is 1 if they cannot be imported.
    """
    from pipeline.labelers.map_probe import probe
    from pipeline.labelers.map_probe_text import importable, lines

    found = probe(folder, _images(images, data_root) if images else None)
    for line in lines(found, str(data_root)):
        click.echo(line)
    sys.exit(0 if importable(found) else 1)


def _images(named: str, data_root: Path) -> ProbedImages:
    """Images of a dataset, those of the split train if it has one, or all below a folder."""
    from pipeline.datasets.discovery import find_records
    from pipeline.datasets.image_folder import look
    from pipeline.labelers.map_probe import ProbedImages

    folder = Path(named)
    if folder.is_dir() and named not in known_datasets():
        names = look(folder).names
        return ProbedImages(folder, [ImageRecord(name, folder / name, 0, 0, "train") for name in names])
    found = find_records(load_manifest(named), data_root)
    train = found.records.of_split("train")
    return ProbedImages(found.root, train or found.records, named)
