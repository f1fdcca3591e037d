"""Labeler `danet`: the paper's own, trained on exact part masks.

Reads its checkpoint (danet.safetensors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.io.images import resize_image
from pipeline.io.networks import danet_network, require_trained_normalisation
from pipeline.labelers.base import Labeled, Source, describe, read_options
from pipeline.labelers.batching import require_finite, run_in_batches
from pipeline.labelers.person_choice import status_of
from pipeline.runs.checkpoint_info import DanetNetwork
from pipeline.runs.config import PRECISIONS, Runtime
from pipeline.runs.shipped import weights_path
from pipeline.runtime import distributed
from pipeline.runtime.arithmetic import described, pick_precision
from sorn.config import check, check_choice
from sorn.sample import Status

if TYPE_CHECKING:
    import torch

INFERENCE = ("resized", "sliding")
LONGEST = 8  # times the network's height: a longer image is squeezed, so that a line of pixels costs no memory


@dataclass(frozen=True)
class DANetOptions:
    weights: str = ""
    # A danet.safetensors, or the name of a DANet that ships; "" is the one that the labeler stage trained on this
    # dataset, or the one that ships where the dataset has no split `labeler`.
    inference: str = "resized"
    # "resized" stretches the image to the network's size, as in training. "sliding" keeps its proportions: as wide as
    # the network, in windows that overlap by half; for crops of unusual proportions.
    flip: bool = True
    # The mean of the image's scores and its mirror image's; twice the time.
    batch: int = 32
    # Images per forward pass at most.
    low_resolution: int = 48
    # Images of fewer rows are labelled, with the status LOW_RESOLUTION.
    precision: str = "auto"
    # auto: bf16 where the device computes it, else fp16 on a GPU, fp32 on a CPU.

    def __post_init__(self) -> None:
        check_choice("inference", self.inference, INFERENCE)
        check(self.batch >= 1, "batch", self.batch, "1 or more")
        check(self.low_resolution >= 0, "low_resolution", self.low_resolution, "0 or more rows")
        check_choice("precision", self.precision, PRECISIONS)


class DANetLabeler:
    """Labeler of the person that fills the crop; others count as background."""

    name = "danet"
    version = 1

    def __init__(self, options: Mapping[str, Any], source: Source) -> None:
        self.options = read_options(DANetOptions, self.name, options)
        self.path = weights_path(self.options.weights) if self.options.weights else source.checkpoint

    @cached_property
    def _digest(self) -> str:
        self._require_file()
        return digest_file(self.path)

    def describe(self) -> Mapping[str, object]:
        """Without the place of the file and the batch.

        Neither is meant to change a label.
        """
        return describe(self.name, self.version, self.options, self._digest, ("weights", "batch"))

    def inputs(self, records: Sequence[ImageRecord]) -> dict[str, str]:
        return {}

    def prepare(self, records: Sequence[ImageRecord], runtime: Runtime) -> None:
        import torch

        from pipeline.io import checkpoints
        from pipeline.runtime.device import pick_device
        from sorn.unfilled import unfilled

        self._require_file()
        try:
            made = DanetNetwork.of(checkpoints.read_metadata(self.path))
            if made is None:
                raise ValueError("its metadata names another network, or none")
            height, width = made.image_size
        except ValueError as error:
            wrong = f"{self.path} holds no DANet: {error}"
            raise UserError(wrong, "Give a danet.safetensors, made by `make labeler`.") from error
        self.size = (height, width)
        self.device = pick_device(runtime.device)
        self.precision = pick_precision(self.options.precision, self.device)
        distributed.say(f"masks: DANet in {described(self.precision, self.device)}")
        with unfilled():
            model = danet_network(made.backbone, made.width)
        checkpoints.load_weights(self.path, model)
        require_trained_normalisation(self.path, model.normalisation)
        self.model = model.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def label(self, records: list[ImageRecord], images: list[np.ndarray]) -> list[Labeled]:
        windows = [self._windows(image) for image in images]
        scores = run_in_batches(self.forward, [pixels for found in windows for pixels in found], self.options.batch)
        rest = iter(scores)
        return [self._labeled(image, [next(rest) for _ in found]) for image, found in zip(images, windows, strict=True)]

    def forward(self, windows: list[np.ndarray]) -> list[torch.Tensor]:
        """Scores [K, H/8, W/8] float32 of each window [H, W, 3] uint8, on the device."""
        import torch

        from sorn import engine
        from sorn.batch import to_input
        from sorn.danet import part_scores

        image = to_input(torch.from_numpy(np.stack(windows)).to(self.device), self.model.normalisation)
        with engine.autocast(self.device, self.precision):
            scores = list(part_scores(self.model, image, self.options.flip))
        require_finite(scores, self.name, self.precision)
        return scores

    def _require_file(self) -> None:
        if not self.path.is_file():
            raise UserError(
                f"the DANet {self.path} does not exist",
                "Train it (make labeler DATASET=synped) and give it: --set masks.options.weights=FILE",
            )

    def _windows(self, image: np.ndarray) -> list[np.ndarray]:
        """What the network sees of one image: the whole of it, or windows from top to bottom, each [H, W, 3] uint8."""
        rows, columns = self.size
        if self.options.inference == "resized":
            return [resize_image(image, self.size)]
        height = self._height(image)
        whole = resize_image(image, (height, columns))
        if height < rows:
            return [np.pad(whole, ((0, rows - height), (0, 0), (0, 0)), mode="edge")]
        return [whole[top : top + rows] for top in window_tops(height, rows)]

    def _height(self, image: np.ndarray) -> int:
        """Rows of an image that is as wide as the network, with its own proportions."""
        height, width = image.shape[:2]
        rows: int = min(max(round(height * self.size[1] / width), 1), LONGEST * self.size[0])
        return rows

    def _labeled(self, image: np.ndarray, scores: list[torch.Tensor]) -> Labeled:
        from sorn.danet import enlarged

        height, width = image.shape[:2]
        whole = scores[0]
        if self.options.inference == "sliding":
            whole = joined([enlarged(found[None], self.size)[0] for found in scores], self._height(image))
        best = enlarged(whole[None], (height, width))[0].max(dim=0).indices  # sixteen times faster than argmax on a CPU
        parts = best.cpu().numpy().astype(np.uint8)
        status = status_of(1, height, self.options.low_resolution) if parts.any() else Status.EMPTY
        return Labeled(parts, status)


def window_tops(height: int, rows: int) -> list[int]:
    """First rows of overlapping windows.

    Windows of `rows` rows cover `height` rows and overlap by half at least.
    """
    count = max(1, -(-2 * (height - rows) // rows) + 1)
    tops: list[int] = np.linspace(0, height - rows, count).round().astype(int).tolist()
    return tops


def joined(scores: list[torch.Tensor], height: int) -> torch.Tensor:
    """Scores [K, rows, W] of the windows of an image -> their mean at every place, [K, height, W]."""
    classes, rows, columns = scores[0].shape
    if height < rows:  # one window, filled up below
        return scores[0][:, :height]
    total, seen = scores[0].new_zeros(classes, height, columns), scores[0].new_zeros(height, 1)
    for found, top in zip(scores, window_tops(height, rows), strict=True):
        total[:, top : top + rows] += found
        seen[top : top + rows] += 1
    return total / seen
