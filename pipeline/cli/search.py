"""Commands `sorn embed` and `sorn search`.

No logic, no torch at import time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.commands import examples
from pipeline.cli.options import FOLDER, runs_option
from pipeline.errors import WRONG_OPTION, UserError
from pipeline.runs.config import EVAL_PRECISIONS, EvalConfig
from pipeline.runs.result_paths import SearchPaths
from sorn.config import VARIANTS

MODEL_HELP = "A run below --runs (synped_demo-danet), the folder of a training, or a network that ships (sorn models)."
GALLERY_HELP = "Folder of pictures, a CSV path,x,y,w,h of boxes in frames, a bank, or a features.h5."
QUERY_HELP = "Picture of a person, or a CSV path,x,y,w,h of persons in frames; repeatable."

model_option = click.option("--model", required=True, help=MODEL_HELP)
flip_option = click.option("--flip", is_flag=True, help="Average the features of a picture and of its mirror image.")
precision_option = click.option(
    "--precision",
    default="auto",
    show_default=True,
    type=click.Choice(EVAL_PRECISIONS),
    help="Of the features; auto: the fastest of this device. int8: see eval.precision.",
)
device_option = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")


@click.command(
    "embed",
    short_help="Write the features of a folder of pictures.",
    epilog=examples("sorn embed photos --model synped_demo-danet --out photos.h5"),
)
@click.argument("folder", type=FOLDER)
@model_option
@click.option("--out", default="bank.h5", show_default=True, type=FOLDER, help="File of the feature bank.")
@click.option("--batch-size", default=64, show_default=True, help="Pictures per pass.")
@precision_option
@flip_option
@device_option
@runs_option
def embed(
    folder: Path, model: str, out: Path, batch_size: int, precision: str, flip: bool, device: str, runs: Path
) -> None:
    """Write the features of every picture below FOLDER into a feature bank.

    `sorn search` and any HDF5 reader read the bank.
    """
    from pipeline.datasets.image_folder import look
    from pipeline.features.embedding import load_embedder
    from pipeline.features.kept_bank import kept_bank

    if batch_size < 1:
        raise UserError(f"batch size {batch_size}: expected 1 or more", WRONG_OPTION)
    pictures = look(folder)
    mapped = kept_bank(load_embedder(model, runs, device, precision, batch_size, flip), pictures, out)
    if mapped.attrs["left_out"]:
        click.echo(f"left out {mapped.attrs['left_out']}", err=True)
    click.echo(f"{out}: {len(mapped.bank):,} pictures")


@click.command(
    "search",
    short_help="Find the pictures that resemble a person.",
    epilog=examples(
        "sorn search --model synped_demo-danet --gallery photos --query me.jpg",
        "sorn search --model synped_demo-danet --gallery photos.h5 --query a.jpg b.jpg --top 5",
        "sorn search --model synped_demo-danet --gallery photos --query me.jpg --false-match-rate 1%",
        "sorn search --model synped_demo-danet --gallery detections.csv --query wanted.csv --at-least 0.5",
    ),
)
@model_option
@click.option("--gallery", required=True, type=FOLDER, help=GALLERY_HELP)
@click.option("--query", "queries", required=True, multiple=True, type=FOLDER, help=QUERY_HELP)
@click.argument("more", nargs=-1, type=FOLDER)
@click.option("--top", default=10, show_default=True, help="Pictures shown per query.")
@click.option(
    "--out", type=FOLDER, help="Folder for the answers and the gallery's features. Default: search in --runs."
)
@click.option(
    "--rule",
    type=click.Choice(VARIANTS),
    help="Variant of matching. Default: the paper's fullest of this network.",
)
@click.option(
    "--tau", default=EvalConfig.tau, show_default=True, help="A stripe is visible if at least this share of it is body."
)
@click.option(
    "--part-tau",
    default=EvalConfig.part_tau,
    show_default=True,
    help="A part group is visible if it is at least this share of the picture.",
)
@click.option(
    "--candidates",
    default=0,
    show_default=True,
    help="Number of candidates that FAISS picks per query; 0: compare all.",
)
@click.option(
    "--check",
    type=int,
    help="Measure what the candidates miss, with the queries and this number of gallery pictures.",
)
@click.option("--at-least", type=float, metavar="SIMILARITY", help="Least similarity of a hit, from -1 to 1.")
@click.option(
    "--false-match-rate",
    metavar="RATE",
    help="In its place: share of pairs of different people that may be as similar, such as 1%. The network's "
    "calibration.json, which its evaluation writes, has the threshold.",
)
@click.option("--calibration", type=FOLDER, help="Another calibration.json, such as one of your own cameras.")
@click.option("--pictures", type=FOLDER, help="Folder of the bank's pictures, if they moved.")
@click.option("--no-cache", is_flag=True, help="Extract the features of a folder anew, and keep none.")
@precision_option
@flip_option
@device_option
@runs_option
def search(
    model: str,
    gallery: Path,
    queries: tuple[Path, ...],
    more: tuple[Path, ...],
    top: int,
    out: Path | None,
    check: int | None,
    no_cache: bool,
    rule: str | None,
    runs: Path,
    **options: Any,
) -> None:
    """Rank the pictures of a gallery by similarity to each --query.

    The results are search.html and search.json. Further queries may follow: --query a.jpg b.jpg c.jpg. With --at-least
    or --false-match-rate, the answer may be: nobody.
    """
    from pipeline.search.page import SearchResult, as_text
    from pipeline.search.queries import queries_of
    from pipeline.search.searcher import Searcher

    if check is not None and not (options["candidates"] and check >= 0):
        raise UserError(
            f"--check {check} measures what --candidates miss, with 0 gallery pictures or more",
            WRONG_OPTION,
        )
    paths = SearchPaths(out or runs / "search")
    kept = {"cache": False} if no_cache else {"keep": paths.bank, "keep_index": paths.index}
    people = Searcher(model, gallery, runs=runs, rule=rule or "", **kept, **options)
    images = queries_of([*queries, *more])
    answers = people.answers(images, top)
    result = SearchResult(people, answers, None if check is None else people.recall(images, top, check))
    result.write(paths)
    for answer in answers:
        click.echo(as_text(answer))
    facts = result.facts()
    for name in ("left out", "recall"):
        if name in facts:
            click.echo(f"{name}: {facts[name]}", err=True)
    click.echo(f"{paths.html}")
