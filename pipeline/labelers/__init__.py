"""Who labels body parts: one dict line per labeler. Reads and writes nothing itself.

Nothing is imported before a labeler is asked for, so `--help`, `status` and every labeler work without the others.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from pipeline.errors import UserError, nearest
from pipeline.labelers.base import Labeler, Source

LABELERS = {
    "danet": "pipeline.labelers.danet:DANetLabeler",
    "densepose": "pipeline.labelers.densepose:DensePose",
    "ground_truth": "pipeline.labelers.ground_truth:GroundTruth",
    "import": "pipeline.labelers.import_masks:ImportMasks",
    "none": "pipeline.labelers.unlabeled:Unlabeled",
    "torchvision": "pipeline.labelers.torchvision_rcnn:TorchvisionRCNN",
}

TRAINED = "danet"  # the labeler that `make labeler` trains


def needs_training(name: str, options: Mapping[str, Any]) -> bool:
    """Whether this labeler is to be trained on the dataset that it labels: DANet, unless a weights file is named."""
    return name == TRAINED and not options.get("weights")


def require_known(name: str) -> None:
    """Raise UserError for a labeler that is unknown."""
    if name not in LABELERS:
        meant = nearest(name, LABELERS)
        remedy = f"Did you mean {meant}? LABELER={meant}" if meant else "Choose one: LABELER=import"
        raise UserError(f"unknown labeler '{name}'; known: {', '.join(sorted(LABELERS))}", remedy)


def about(name: str) -> tuple[str, dict[str, Any]]:
    """What a labeler is, in a sentence, and its options with their defaults; reasons stand beside them in its file."""
    module = importlib.import_module(LABELERS[name].partition(":")[0])
    (kind,) = (value for key, value in vars(module).items() if key.endswith("Options") and key != "Options")
    return (module.__doc__ or "").splitlines()[0], {field.name: field.default for field in dataclasses.fields(kind)}


def create(name: str, options: Mapping[str, Any], source: Source) -> Labeler:
    """The labeler of that name with its options checked. Raises UserError for an unknown one."""
    require_known(name)
    module, _, kind = LABELERS[name].partition(":")
    labeler: Labeler = getattr(importlib.import_module(module), kind)(options, source)
    return labeler
