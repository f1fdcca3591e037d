"""Labelers by name, imported only when asked for.

So `--help`, `status` and every labeler work without the frameworks of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.labelers import registry
from pipeline.labelers.base import Labeler, Source

LABELERS = registry.LABELER.built_in

UNLABELED = "none"  # the labeler that labels nothing
TRAINED = "danet"  # the labeler that `make labeler` trains


def needs_training(name: str, options: Mapping[str, Any]) -> bool:
    """Whether this labeler is trained here: DANet without a weights file."""
    return name == TRAINED and not options.get("weights")


def require_known(name: str) -> None:
    """Raise UserError for a labeler that is unknown. Imports none."""
    registry.find(registry.LABELER, name)


def create(name: str, options: Mapping[str, Any], source: Source) -> Labeler:
    """The labeler of that name, with its options checked.

    Raises UserError for a labeler that is unknown or cannot be used, and for its options.
    """
    labeler: Labeler = registry.create(registry.LABELER, name, options, source)
    return labeler
