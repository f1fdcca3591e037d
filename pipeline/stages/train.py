"""Stage 2: reads the shards of the train split, writes model.safetensors, config.json and TensorBoard scalars.

A run that was killed goes on from its last state and ends with the same weights, bit for bit (pipeline.training.loop).
Ranks of torchrun share its batches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.runs import stamp
from pipeline.runs.config import Config, as_json
from pipeline.runs.layout import Paths

NAME = "train"
VERSION = 3
VALIDATED = ("val_query", "val_gallery")


def settings(config: Config, paths: Paths) -> dict[str, Any]:
    sections = {name: as_json(getattr(config, name)) for name in ("model", "loss", "schedule", "train")}
    init = Path(config.train.init)
    if init.suffix:
        if not init.is_file():
            raise UserError(f"train.init = {init}: no such file", "Give a .safetensors file, 'imagenet' or 'none'.")
        sections["train"]["init"] = {"file": init.name, "sha256": digest_file(init)}
    if config.train.keep == "best":
        sections["chosen by"] = {name: getattr(config.eval, name) for name in ("tau", "average_precision")}
    return sections


def inputs(config: Config, paths: Paths) -> dict[str, str]:
    masks = stamp.read(paths.folder("masks"))
    if masks is None:
        raise UserError(f"no shards in {paths.folder('masks')}", f"Run: make masks DATASET={paths.dataset}")
    if "train" not in masks.provides:
        raise UserError(
            f"{paths.dataset} has no train split: it is for evaluation only",
            f"Train on another dataset, then: make eval DATASET={paths.dataset} TRAINED_ON=<dataset>",
        )
    splits = ["train", *(VALIDATED if config.train.validate_every else ())]
    return {f"masks of {split}": masks.provides[split] for split in splits if split in masks.provides}


def run(config: Config, paths: Paths, fingerprint: str) -> Path:
    from pipeline.training.loop import Training  # torch takes seconds to import

    Training(config, paths, fingerprint).run()
    return paths.checkpoint


def outputs(paths: Paths) -> list[Path]:
    return [paths.checkpoint, paths.train_config]


def provides(paths: Paths) -> dict[str, str]:
    return {"checkpoint": digest_file(paths.checkpoint)}
