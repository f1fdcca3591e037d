"""What a training shows: a line while it runs, one per epoch, TensorBoard. Writes train/tensorboard.

Of the ranks of torchrun the first one shows everything, the others nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from pipeline.io.overlays import overlay_heat, overlay_parts
from pipeline.runs.layout import Paths
from pipeline.runtime import distributed
from pipeline.runtime.progress import Progress
from pipeline.shards.dataset import ShardDataset
from sorn import engine
from sorn.batch import reduce_masks
from sorn.network import SORN

logger = logging.getLogger(__name__)

SHOWN = 4  # training images whose maps and parts TensorBoard shows
SEED = 0  # of which
WHITE = 255  # of the lines between pictures


class TrainingLog:
    """epochs of `steps` steps, `done` of all are behind us. Use it as a context manager."""

    def __init__(self, paths: Paths, epochs: int, steps: int, done: int) -> None:
        self.epochs, self.steps = epochs, steps
        self.speaks = distributed.here().number == 0
        self.scalars = SummaryWriter(str(paths.tensorboard), purge_step=done) if self.speaks else None
        self.progress = Progress(epochs * steps, "train", "steps", done, quiet=not self.speaks)

    def __enter__(self) -> TrainingLog:
        self.hook, threading.excepthook = threading.excepthook, self._failed_thread
        self.progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.__exit__(kind, error, trace)
        try:
            if self.scalars is not None:
                self.scalars.close()
        finally:
            threading.excepthook = self.hook

    def _failed_thread(self, failed: threading.ExceptHookArgs) -> None:
        """TensorBoard writes in a thread, whose failure (a full disk) its next call raises: no need to print it too."""
        if not type(failed.thread).__module__.startswith("tensorboard"):
            self.hook(failed)

    def begin_epoch(self) -> None:
        self.start, self.images, self.sums = time.monotonic(), 0, {}  # type: ignore[var-annotated]

    def step(self, epoch: int, step: int, losses: dict[str, float], images: int, rate: float, waited: float) -> None:
        """One step's losses, images of all ranks, learning rate; waited: seconds for data in this epoch so far."""
        self.images += images
        for name, value in losses.items():
            self.sums.setdefault(name, []).append(value)
        if self.scalars is not None:
            number = epoch * self.steps + step
            for name, value in losses.items():
                self.scalars.add_scalar(f"loss/{name}", value, number)
            self.scalars.add_scalar("lr", rate, number)
        parts = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
        self.progress.advance(1, f"epoch {epoch + 1}/{self.epochs}, {parts}, lr {rate:.3g}, {self._speed(waited)}")

    def end_epoch(self, epoch: int, waited: float, validated: dict[str, float]) -> None:
        """epoch: the one that has ended, counted from 0. validated: figures of val, fractions, if it was evaluated."""
        if self.scalars is None or not self.images:
            return
        number, seconds = (epoch + 1) * self.steps, time.monotonic() - self.start
        self.scalars.add_scalar("speed/images_per_second", self.images / seconds, number)
        self.scalars.add_scalar("speed/share_waiting_for_data", waited / seconds, number)
        for name, value in validated.items():
            self.scalars.add_scalar(f"val/{name}", value, number)
        means = ", ".join(f"{name} {np.mean(values):.3g}" for name, values in self.sums.items())
        figures = "".join(f", val {name} {value:.1%}" for name, value in validated.items())
        self._say(f"train: epoch {epoch + 1}/{self.epochs}: mean {means}, {self._speed(waited)}{figures}")

    def show(self, epoch: int, model: SORN, data: ShardDataset, device: torch.device, precision: str) -> None:
        """Pictures of what the network has learnt: parts beside their labels, and the maps M_1..M_N (Fig. 4, 5)."""
        if self.scalars is None:
            return
        chosen = np.random.default_rng(SEED).permutation(len(data))[:SHOWN]
        batch, labels = data.__getitems__(chosen.tolist()), model.config.labels
        maps, parts = engine.explain(model, batch, device, precision)
        number = (epoch + 1) * self.steps
        images = batch.image.numpy()
        if parts.size:
            h, w = parts.shape[1:]
            target = reduce_masks(batch.mask, (h, w), labels, "majority").to(torch.uint8).numpy()
            rows = [
                [image, overlay_parts(image, wanted, labels), overlay_parts(image, found, labels)]
                for image, wanted, found in zip(images, target, parts, strict=True)
            ]
            self.scalars.add_image("parts/image, label, predicted", _side_by_side(rows), number, dataformats="HWC")
        if maps.shape[1]:
            rows = [
                [image, *(overlay_heat(image, values) for values in found)]
                for image, found in zip(images, maps, strict=True)
            ]
            self.scalars.add_image("maps/image, M_1..M_N", _side_by_side(rows), number, dataformats="HWC")

    def _speed(self, waited: float) -> str:
        seconds = max(time.monotonic() - self.start, 1e-9)
        return f"{self.images / seconds:.1f} images/s, {waited / seconds:.1%} waiting for data"

    def _say(self, text: str) -> None:
        if self.progress.bar is not None:
            self.progress.bar.write(text)
        else:
            logger.info(text)


def _side_by_side(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Groups of pictures [H, W, 3] uint8 -> one picture, a white line between groups."""
    line = np.full((rows[0][0].shape[0], 4, 3), WHITE, np.uint8)
    return np.concatenate([picture for row in rows for picture in (*row, line)][:-1], axis=1)
