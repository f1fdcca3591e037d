"""Stage `train`: training of SORN on the shards.

Reads the shards of the train split. Writes model.safetensors, config.json and TensorBoard scalars. A training that was
killed continues from its last training state and ends with the same weights, bit for bit (pipeline.training.loop). The
processes of torchrun share its batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.runs.config import as_json
from pipeline.runs.inputs import Input
from pipeline.runs.run import Run
from sorn.config import STRIDE

if TYPE_CHECKING:
    from pipeline.training.loop import Training

NAME = "train"
VERSION = 3
VALIDATED = ("val_query", "val_gallery")


def settings(run: Run) -> Mapping[str, object]:
    config = run.config
    sections = {name: as_json(getattr(config, name)) for name in ("model", "loss", "schedule", "train")}
    init = Path(config.train.init)
    if init.suffix:
        if not init.is_file():
            raise UserError(f"train.init = {init}: no such file", "Give a .safetensors file, 'imagenet' or 'none'.")
        sections["train"]["init"] = {"file": init.name, "sha256": digest_file(init)}
    if config.train.keep == "best":
        sections["chosen by"] = {name: getattr(config.eval, name) for name in ("tau", "average_precision")}
    return sections


def inputs(run: Run) -> list[Input]:
    masks = run.finished("masks")
    if "train" not in masks.provides:
        dataset = run.paths.dataset
        raise UserError(
            f"{dataset} has no train split: it is for evaluation only",
            f"Train on another dataset, then: make eval DATASET={dataset} TRAINED_ON=<dataset>",
        )
    splits = ["train", *(VALIDATED if run.config.train.validate_every else ())]
    return [Input("masks", split, masks.provides[split]) for split in splits if split in masks.provides]


def check(run: Run) -> None:
    """Check of the options against the size of the images.

    Raises UserError for more stripes or channel sets than the feature map has rows.
    """
    height, width = run.config.masks.image_size
    rows = height // STRIDE
    for name, needed in run.config.model.rows_by_option.items():
        if needed > rows:
            raise UserError(
                f"model.{name} = {needed} divides the rows of the feature map, and images of {height}x{width} have "
                f"{rows}, one for {STRIDE} pixels",
                f"Use fewer: --set model.{name}={rows}, or larger images: --set 'masks.image_size="
                f"[{needed * STRIDE},{width}]'",
            )


def run(run: Run, fingerprint: str) -> Training:
    """Train the network. Raises UserError as `check` and `Training` do."""
    from pipeline.training.loop import Training  # torch takes seconds to import

    check(run)
    training = Training(run, fingerprint)
    training.run()
    return training


def finish(run: Run, training: Training) -> Path:
    training.publish()
    return run.paths.checkpoint


def outputs(run: Run) -> list[Path]:
    return [run.paths.checkpoint, run.paths.train_config]


def provides(run: Run) -> dict[str, str]:
    return {"checkpoint": digest_file(run.paths.checkpoint)}
