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
from pipeline.runs.command import assigned
from pipeline.runs.inputs import Input, initial_weights
from pipeline.runs.run import Run
from pipeline.runs.stored_options import as_json
from pipeline.training.imagenet import IMAGENET, imagenet_setting
from sorn.config import STRIDE

if TYPE_CHECKING:
    from pipeline.training.loop import Training

NAME = "train"
VERSION = 3
VALIDATED = ("val_query", "val_gallery")


def settings(run: Run) -> Mapping[str, object]:
    config = run.config
    sections = {name: as_json(getattr(config, name)) for name in ("model", "loss", "schedule", "train")}
    init, described = initial_weights("train.init", config.train.init), run.paths.settled.train_config
    sections["train"]["init"] = imagenet_setting(config.model.backbone, described) if init == IMAGENET else init
    if config.train.keep == "best":
        sections["chosen by"] = {name: getattr(config.eval, name) for name in ("tau", "average_precision")}
    return sections


def inputs(run: Run) -> list[Input]:
    masks = run.finished("masks")
    if "train" not in masks.provides:
        dataset = run.paths.dataset
        raise UserError(
            f"{dataset} has no train split: it is for evaluation only",
            f"Train on another dataset, then run: make eval {assigned('DATASET', dataset)} TRAINED_ON=RUN",
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
