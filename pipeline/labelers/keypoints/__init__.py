"""Keypoint finders by name, imported only when asked for.

Keypoints lie beside the masks in the shards, so that matching can pick stripes by landmarks ("+P" of Table III).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.labelers import registry
from pipeline.labelers.base import Source
from pipeline.labelers.keypoints.base import KeypointFinder

NONE = "none"


def create(name: str, options: Mapping[str, Any], source: Source) -> KeypointFinder | None:
    """The keypoint finder of that name, None for "none".

    Its options are checked. Raises UserError as for a labeler.
    """
    if name == NONE:
        return None
    finder: KeypointFinder = registry.create(registry.KEYPOINT_FINDER, name, options, source)
    return finder
