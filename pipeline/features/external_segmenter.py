"""External segmenter of an evaluation: its part masks score the stripes.

Reads the folder of its training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.io.text import parse_json
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.layout import DESCRIPTION, WEIGHTS
from pipeline.runs.shipped import find_shipped


@dataclass(frozen=True)
class Segmenter:
    """Trained network that is used as a segmenter.

    weights: path of model.safetensors. about: content of config.json. sha256: of the weights.
    """

    weights: Path
    about: CheckpointInfo
    sha256: str

    @property
    def trained_on(self) -> str:
        """Name of its run, or of its folder if config.json has none."""
        return self.about.trained_on or self.weights.parent.name

    def require_size(self, size: tuple[int, int]) -> None:
        """Check the image size (height, width).

        Raises UserError if the segmenter was trained on images of another size.
        """
        own = self.about.image_size
        if own != size:
            raise UserError(
                f"the segmenter in {self.weights.parent} was trained on images of {own[0]}x{own[1]}, the shards hold "
                f"{size[0]}x{size[1]}",
                "Train the segmenter and the network on images of the same size.",
            )

    def describe(self, precision: str) -> str:
        """JSON for features.h5: the segmenter, and the precision of its scores."""
        made = {"trained_on": self.trained_on, "checkpoint_sha256": self.sha256, "model": self.about.stored_model}
        return json.dumps({**made, "precision": precision}, sort_keys=True)

    def made(self, attrs: dict[str, str]) -> bool:
        """Whether a features.h5 with these attributes holds scores of this segmenter."""
        return bool(parse_json(attrs.get("segmenter", "{}")).get("checkpoint_sha256") == self.sha256)


def find_segmenter(named: str) -> Segmenter | None:
    """Segmenter in the folder of a training; None without a name.

    named: value of `eval.segmenter`, a folder or the name of a network that ships. Raises UserError for a folder
    without a network, for a network without semantic branch, and for a damaged one that ships.
    """
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir() and (shipped := find_shipped(named)) is not None:
        folder = shipped.require("train", "eval.segmenter").folder
    option, remedy = f"eval.segmenter = {folder}", f"Give the folder of a training: {WEIGHTS} and {DESCRIPTION}."
    missing = [name for name in (WEIGHTS, DESCRIPTION) if not (folder / name).is_file()]
    if missing:
        raise UserError(f"{option}: no {' and no '.join(missing)} there", remedy)
    about = describe(folder)
    if not about.model.semantic_branch:
        raise UserError(f"{option}: that network has no semantic branch, so it predicts no part masks", remedy)
    return Segmenter(folder / WEIGHTS, about, digest_file(folder / WEIGHTS))
