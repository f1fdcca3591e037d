"""Who finds the joints of a pose: one dict line per finder. Reads and writes nothing itself.

Keypoints lie beside the masks in the shards, so that matching can pick stripes by landmarks ("+P" of Table III).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from pipeline.errors import UserError
from pipeline.labelers.base import Source
from pipeline.labelers.keypoints.base import PoseFinder

NONE = "none"

POSES = {
    "joints": "pipeline.labelers.keypoints.joints:Joints",
    "keypoint_rcnn": "pipeline.labelers.keypoints.keypoint_rcnn:KeypointRCNN",
}


def create(name: str, options: Mapping[str, Any], source: Source) -> PoseFinder | None:
    """The finder of that name with its options checked, None for "none". Raises UserError for an unknown one."""
    if name == NONE:
        return None
    if name not in POSES:
        known = ", ".join((NONE, *sorted(POSES)))
        raise UserError(f"unknown pose finder '{name}'; known: {known}", "Choose one: --set masks.pose=joints")
    module, _, kind = POSES[name].partition(":")
    finder: PoseFinder = getattr(importlib.import_module(module), kind)(options, source)
    return finder
