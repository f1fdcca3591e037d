"""Ways on for two datasets with one name.

The folder of runs holds the results of the other one.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from pipeline.datasets.manifest import Manifest, known_datasets, safe_name
from pipeline.errors import UserError
from pipeline.runs.layout import Paths
from pipeline.runs.origin import DatasetOrigin, find_foreign, record
from pipeline.runs.run import Run


def require_own(run: Run) -> None:
    """Check of the dataset's folder for results of another dataset.

    Raises UserError with another folder of runs, and a manifest with another name.
    """
    other = find_foreign(run.manifest, run.paths)
    if other is None:
        return
    paths, here = run.paths, DatasetOrigin.of(run.manifest, run.paths)
    folder = paths.folder("data").parent
    same = "" if other.is_there() else f". If it is the same dataset, moved and changed: {_forget(paths)}"
    raise UserError(
        f"{folder} holds the results of another dataset '{paths.dataset_name}', {other.place}, not of {here.place}",
        f"Nothing is replaced. Choose another folder: {_another_folder(run, here)}; "
        f"or another name: {_another_name(run, here)}{same}",
    )


def record_origin(run: Run) -> None:
    """Write the origin of the dataset into its stamp."""
    with contextlib.suppress(UserError):
        record(run.manifest, run.paths)


def _forget(paths: Paths) -> str:
    return f"rm -r {shlex.quote(str(paths.folder('data')))}"


def _another_folder(run: Run, here: DatasetOrigin) -> str:
    runs = next(runs for runs in _numbered(f"{run.paths.runs}-{_place_name(here)}") if not Path(runs).exists())
    return replace(run.command, runs=runs).make("data")


def _another_name(run: Run, here: DatasetOrigin) -> str:
    """Commands that write a manifest with another name, and use it."""
    folder = Path(here.csv or here.manifest or "mine.toml").parent
    name = next(
        name
        for name in _numbered(_new_name(run.manifest, here))
        if not ((run.paths.runs / name).exists() or (folder / f"{name}.toml").exists() or name in known_datasets())
    )
    lines = {"name": name, **_source(run.manifest, here)}
    text = " ".join(shlex.quote(f"{key} = {json.dumps(value, ensure_ascii=False)}") for key, value in lines.items())
    file = str(folder / f"{name}.toml")
    make = replace(run.command, dataset=file).make("data")
    return f"printf '%s\\n' {text} > {shlex.quote(file)} && {make}"


def _source(manifest: Manifest, here: DatasetOrigin) -> dict[str, str]:
    if here.manifest.lower().endswith(".toml"):
        return {"base": Path(here.manifest).name}
    if here.csv:
        return {"title": manifest.title, "csv": Path(here.csv).name}
    return {"base": manifest.name}


def _new_name(manifest: Manifest, here: DatasetOrigin) -> str:
    words = [_place_name(here), manifest.name.strip("_-")]
    return "_".join(word for word in words if word) or "own"


def _place_name(here: DatasetOrigin) -> str:
    """Name of the folder that holds the dataset, as part of another name."""
    folder = Path(here.csv or here.root or here.manifest).parent.name
    return re.sub("_+", "_", safe_name(folder)).strip("_-")


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in count(2))
