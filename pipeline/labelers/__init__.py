"""Who labels body parts: one dict line per labeler. Reads and writes nothing itself.

Nothing is imported before a labeler is asked for, so `--help`, `status` and every labeler work without the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pipeline.errors import UserError
from pipeline.labelers.base import Labeler, Source

LABELERS = {
    "ground_truth": "pipeline.labelers.ground_truth:GroundTruth",
    "import": "pipeline.labelers.import_masks:ImportMasks",
    "none": "pipeline.labelers.unlabeled:Unlabeled",
}

# Labelers of later versions: refused by name, with what serves until then.
PLANNED = ("danet", "densepose", "torchvision")


def require_known(name: str) -> None:
    """Raise UserError for a labeler that is unknown, or planned and not here yet."""
    if name in PLANNED:
        raise UserError(
            f"labeler '{name}' is not part of this version yet",
            "Run that segmenter yourself and import its label maps (LABELER=import), "
            "or use LABELER=ground_truth where masks lie beside the images.",
        )
    if name not in LABELERS:
        raise UserError(f"unknown labeler '{name}'; known: {', '.join(sorted(LABELERS))}", "Choose one: LABELER=import")


def create(name: str, options: Mapping[str, Any], source: Source) -> Labeler:
    """The labeler of that name with its options checked. Raises UserError for an unknown or planned one."""
    require_known(name)
    module, _, kind = LABELERS[name].partition(":")
    return getattr(importlib.import_module(module), kind)(options, source)
