"""Trained networks: which run is meant, what its network is and asks of the images. Reads runs/*/train/config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import UserError, did_you_mean
from pipeline.io.text import read_json
from pipeline.runs.config import read_model
from pipeline.runs.layout import DESCRIPTION, EXPERIMENTS, STAMP, WEIGHTS, Paths


def find_run(runs: Path, trained_on: str) -> str:
    """Name of the finished run meant by `market1501` or `market1501-densepose`, or of one of its experiments
    (`market1501-densepose/experiments/small`). Raises UserError for none or two.
    """
    places = [*runs.glob(f"*/train/{STAMP}"), *runs.glob(f"*/{EXPERIMENTS}/*/train/{STAMP}")]
    found = sorted(path.parents[1].relative_to(runs).as_posix() for path in places)
    if trained_on in found:
        return trained_on
    chosen = [name for name in found if "/" not in name and name.rpartition("-")[0] == trained_on]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UserError(f"several runs were trained on {trained_on}: {', '.join(chosen)}", "Name one as TRAINED_ON.")
    datasets = {name.rpartition("-")[0] for name in found if "/" not in name}
    meant = did_you_mean(trained_on, [*sorted(datasets), *found])
    raise UserError(
        f"no finished training run of '{trained_on}' in {runs}",
        f"{meant}Found: {', '.join(found) or 'none'}. Run: make train DATASET={trained_on}",
    )


def find_training(model: str | Path, runs: Path) -> Path:
    """The folder of a training meant by a path, of it or of its run, or by a run's name. Raises UserError for none."""
    given = Path(model)
    named = [] if given.is_absolute() else [runs / given / "train"]
    for folder in (given, given / "train", *named):
        missing = [name for name in (WEIGHTS, DESCRIPTION) if not (folder / name).is_file()]
        if len(missing) == 1:
            raise UserError(
                f"{folder} holds no {missing[0]}", f"{WEIGHTS} and {DESCRIPTION} of a training belong together."
            )
        if not missing:
            return folder
    if given.is_dir() or len(given.parts) not in (1, 3):
        raise UserError(
            f"{given} holds no trained network: no {WEIGHTS} and no {DESCRIPTION}",
            f"Give the folder of a training, or the name of a run in {runs}.",
        )
    return runs / find_run(runs, str(model)) / "train"


def describe(folder: Path) -> dict[str, Any]:
    """What the network in the folder of a training is, its config.json. Raises UserError for a folder without."""
    path = folder / DESCRIPTION
    try:
        found = read_json(path)
        read_model(found["model"])  # options of another program, or of another version, are refused
        height, width = map(int, found["image_size"])
        return {**found, "image_size": (height, width)}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} does not describe a trained network", "Train that run again.") from error


def image_size(paths: Paths) -> tuple[int, int]:
    """Height and width of the images that the checkpoint was trained on."""
    size: tuple[int, int] = describe(paths.folder("train"))["image_size"]
    return size
