"""What a trained network is: the config.json beside its weights, with types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.io import documents
from pipeline.io.text import read_json
from pipeline.runs.config import DanetConfig, as_json, read_model
from pipeline.runs.layout import DESCRIPTION
from sorn.config import SORNConfig

Document = Mapping[str, Any]  # JSON as a file holds it


@dataclass(frozen=True)
class CheckpointInfo:
    """model: of the network. image_size: height, width it was trained on. pids: persons, by label. dataset, labeler:
    "" where the file does not say. document: the whole file, with the spelling that features.h5 and reports repeat.
    """

    model: SORNConfig
    image_size: tuple[int, int]
    document: Document = field(repr=False, hash=False)
    pids: tuple[int, ...] = ()
    dataset: str = ""
    labeler: str = ""

    @property
    def stored_model(self) -> Document:
        """Options of the network as the file spells them."""
        model: Document = self.document["model"]
        return model

    @property
    def trained_on(self) -> str:
        """Name of the run; "" where the file does not say."""
        return "-".join(name for name in (self.dataset, self.labeler) if name)

    @property
    def finds_parts_only(self) -> bool:
        """Whether it is a segmenter alone, without features to compare."""
        return not (self.model.local_branch or self.model.global_branch)


@dataclass(frozen=True)
class DanetInfo:
    """A trained DANet: config.json beside danet.safetensors, and the same in the metadata of the weights."""

    options: DanetConfig
    trained_on: str
    precision: str
    fingerprint: str

    def as_json(self) -> dict[str, object]:
        return {
            "network": "danet",
            "backbone": self.options.backbone,
            "image_size": list(self.options.image_size),
            "trained_on": self.trained_on,
            "options": as_json(self.options),
            "precision": self.precision,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class DanetNetwork:
    """What a DANet is built from, by the metadata of its weights. image_size: height, width of its input."""

    backbone: str
    image_size: tuple[int, ...]
    trained_on: str = ""

    @classmethod
    def of(cls, metadata: Mapping[str, object]) -> DanetNetwork | None:
        """None for another network. Raises ValueError naming the field that is missing or wrong."""
        return documents.from_json(cls, metadata) if metadata.get("network") == "danet" else None


def describe(folder: Path) -> CheckpointInfo:
    """What the network in the folder of a training is. Raises UserError for a folder without, or of another program."""
    path = folder / DESCRIPTION
    try:
        found = read_json(path)
        height, width = map(int, found["image_size"])
        return CheckpointInfo(
            read_model(found["model"]),
            (height, width),
            found,
            tuple(found.get("pids", ())),
            str(found.get("dataset", "")),
            str(found.get("labeler", "")),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} does not describe a trained network", "Train that run again.") from error
