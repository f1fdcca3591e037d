"""Description of a trained network: config.json beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, reason
from pipeline.io import documents
from pipeline.io.text import read_json
from pipeline.runs.config import DanetConfig
from pipeline.runs.layout import DESCRIPTION
from pipeline.runs.replacement import settle
from pipeline.runs.stored_options import as_json, read_model
from sorn.config import SORNConfig

Document = Mapping[str, Any]  # JSON content of a file


@dataclass(frozen=True)
class CheckpointInfo:
    """Description of a trained SORN.

    model: options of the network. image_size: height, width of the training images, pixels. pids: training identities,
    by label. dataset, labeler: "" if the file does not name them. document: content of the whole file, in the spelling
    that features.h5 and reports use too.
    """

    model: SORNConfig
    image_size: tuple[int, int]
    document: Document = field(repr=False, hash=False)
    pids: tuple[int, ...] = ()
    dataset: str = ""
    labeler: str = ""

    @property
    def stored_model(self) -> Document:
        """Options of the network in the spelling of the file."""
        model: Document = self.document["model"]
        return model

    @property
    def trained_on(self) -> str:
        """Name of the run; "" if the file does not name it."""
        return "-".join(name for name in (self.dataset, self.labeler) if name)

    @property
    def finds_parts_only(self) -> bool:
        """Whether the network has only the semantic branch, without features."""
        return not (self.model.local_branch or self.model.global_branch)


@dataclass(frozen=True)
class DanetInfo:
    """Description of a trained DANet.

    It is stored in config.json beside danet.safetensors, and in the metadata of the weights.
    """

    options: DanetConfig
    trained_on: str
    precision: str
    fingerprint: str

    def as_json(self) -> dict[str, object]:
        return {
            "network": "danet",
            "backbone": self.options.backbone,
            "width": self.options.width,
            "image_size": list(self.options.image_size),
            "trained_on": self.trained_on,
            "options": as_json(self.options),
            "precision": self.precision,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class DanetNetwork:
    """Description of a DANet, from the metadata of its weights.

    image_size: height and width of its input. width: channels of the heads; 0 is a quarter of the backbone's.
    """

    backbone: str
    image_size: tuple[int, ...]
    trained_on: str = ""
    width: int = 0

    @classmethod
    def of(cls, metadata: Mapping[str, object]) -> DanetNetwork | None:
        """Architecture from the metadata; None for another network.

        Raises ValueError with the field that is missing or wrong.
        """
        return documents.from_json(cls, metadata) if metadata.get("network") == "danet" else None


def describe(folder: Path) -> CheckpointInfo:
    """Description of the network in the folder of a training.

    Raises UserError for a folder without config.json, or with one of another program.
    """
    path = folder / DESCRIPTION
    settle(folder)
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
        wrong = f"{path} does not describe a trained network: {reason(error)}"
        raise UserError(wrong, "Train that run again.") from error
