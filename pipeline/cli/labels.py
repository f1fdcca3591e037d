"""Commands below `sorn masks` for finished labels.

No torch at import time.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, data_root_option, runs_option
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config


@click.command(
    "score",
    short_help="Measure the labels of several runs against ground truth.",
    epilog=examples(
        "sorn masks score synped_small-danet synped_small-blazepose --config synped",
        "sorn masks score synped_small-blazepose other/synped_small-blazepose --set model.stripes=6",
    ),
)
@click.argument("labels", nargs=-1, required=True, metavar="RUN...")
@runs_option
@data_root_option
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
def score(
    labels: tuple[str, ...], runs: Path, data_root: Path, config_name: str, overrides: tuple[str, ...], workers: int
) -> None:
    """Print scores of the labels of each RUN against ground truth.

    All images of every labelled split count.

    They are IoU by body part, and the stripes that are called visible or hidden rightly, beside what calling every
    stripe visible would get right. Images whose label is empty are counted, and not scored: they train no body part.
    RUN is a run (synped_demo-danet) or the path of a masks folder.
    """
    from pipeline.reports.labels.scores import score_labels, score_lines

    config = load_config(config_name, overrides, Runtime(workers))
    click.echo("\n".join(score_lines(score_labels(labels, runs, data_root, config))))


@click.command(
    "page",
    short_help="Write a page with every image and its mask.",
    epilog=examples(
        "sorn masks page synped_demo-danet", "sorn masks page synped_demo-danet synped_demo-ground_truth --out seen"
    ),
)
@click.argument("run")
@click.argument("other", required=False)
@runs_option
@data_root_option
@click.option("--out", type=FOLDER, help="Folder of the page. Default: labels-RUN, or labels-RUN-OTHER, in --runs.")
@click.option(
    "--height",
    type=click.IntRange(32, 2048),
    default=192,
    show_default=True,
    help="Height of a picture in pixels, at most that of the stored images.",
)
@click.option("--workers", default=2, show_default=True, help="Threads; never changes a result.")
def page(run: str, other: str | None, runs: Path, data_root: Path, out: Path | None, height: int, workers: int) -> None:
    """Write a page with every labelled image of RUN and its mask.

    Open its index.html from disk: no server is needed, and the folder can be copied. The images can be filtered by
    status, foreground, parts, camera, person and agreement, with OTHER, a second labeler of the same images, or with
    ground truth. Bad ones are marked, and saved as marks.csv. RUN and OTHER are runs (synped_demo-danet) or paths of
    masks folders.
    """
    from pipeline.reports.labels.page import LabelsPageOptions, write_labels_page

    write_labels_page([run, *([other] if other else [])], runs, data_root, LabelsPageOptions(out, height, workers))


@click.command(
    "export",
    short_help="Write labels for CVAT, Label Studio and other tools.",
    epilog=examples(
        "sorn masks export synped_demo-danet --to png --only marks.csv",
        "sorn masks export synped_demo-danet --to coco --out labels",
    ),
)
@click.argument("run")
@runs_option
@click.option("--to", "kind", type=click.Choice(["png", "coco"]), default="png", show_default=True)
@click.option("--only", type=FOLDER, help="Only the images of a marks.csv; see sorn masks page.")
@click.option("--out", type=FOLDER, help="Folder for the files. Default: masks-of-RUN in --runs.")
def export(run: str, runs: Path, kind: str, only: Path | None, out: Path | None) -> None:
    """Write the labels of RUN, to be mended in another tool.

    The images are written beside them, at the size of the shards.

    png: a palette PNG per image, whose values are the ids of the eight part classes, in the folders and with the
    labelmap.txt of CVAT's "Segmentation mask". coco: annotations.json with a run-length mask per part. Mended masks
    come back with: --set masks.overrides=FOLDER
    """
    from pipeline.tools.label_export import export_labels

    export_labels(run, runs, kind, only, out)
