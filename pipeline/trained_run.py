"""A checkpoint trained elsewhere: which run is meant, what it asks of the images. Reads runs/*/train/config.json."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.errors import UserError
from pipeline.layout import STAMP, Paths


def find_run(runs: Path, trained_on: str) -> str:
    """Name of the finished run meant by `market1501` or `market1501-densepose`. Raises UserError for none or two."""
    found = sorted(path.parents[1].name for path in runs.glob(f"*/train/{STAMP}"))
    if trained_on in found:
        return trained_on
    chosen = [name for name in found if name.rpartition("-")[0] == trained_on]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UserError(f"several runs were trained on {trained_on}: {', '.join(chosen)}", "Name one as TRAINED_ON.")
    raise UserError(
        f"no finished training run of '{trained_on}' in {runs}",
        f"Found: {', '.join(found) or 'none'}. Run: make train DATASET={trained_on}",
    )


def image_size(paths: Paths) -> tuple[int, int]:
    """Height and width of the images that the checkpoint was trained on."""
    try:
        height, width = json.loads(paths.train_config.read_text(encoding="utf-8"))["image_size"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{paths.train_config} does not describe a trained network", "Train that run again.") from error
    return height, width
