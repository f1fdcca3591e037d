"""Progress of a training: progress bar, log lines, TensorBoard, CSV.

Writes train/tensorboard and train/scalars.csv. Only process 0 shows and writes anything.
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
from pipeline.training.scalars import ScalarTable
from sorn import engine
from sorn.batch import reduce_masks
from sorn.config import SORNConfig
from sorn.network import SORN

logger = logging.getLogger(__name__)

SHOWN = 4  # training images whose maps and parts TensorBoard shows
SEED = 0  # of the choice of these images
WHITE = 255  # colour of the lines between pictures
PNG_SHARE = 0.6  # of the bytes of pixels that a PNG of them takes


class TrainingLog:
    """Log of one training, used as a context manager.

    epochs: of the whole training. steps: of one epoch. done: finished steps of the whole training.
    """

    def __init__(self, paths: Paths, epochs: int, steps: int, done: int) -> None:
        self.epochs, self.steps = epochs, steps
        self.speaks = distributed.here().number == 0
        self.scalars = SummaryWriter(str(paths.tensorboard), purge_step=done) if self.speaks else None
        self.table = ScalarTable(paths.scalar_table, done) if self.speaks else None
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
            if self.table is not None:
                self.table.close()
            if self.scalars is not None:
                self.scalars.close()
        finally:
            threading.excepthook = self.hook

    def _failed_thread(self, failed: threading.ExceptHookArgs) -> None:
        """Exception hook that ignores TensorBoard's thread.

        TensorBoard writes in a thread. Its next call raises the failure of the thread, for example a full disk.
        """
        if not type(failed.thread).__module__.startswith("tensorboard"):
            self.hook(failed)

    def begin_epoch(self) -> None:
        self.start, self.images, self.sums = time.monotonic(), 0, {}  # type: ignore[var-annotated]

    def step(self, epoch: int, step: int, losses: dict[str, float], images: int, rate: float, waited: float) -> None:
        """Log one step.

        images: of all processes. rate: learning rate. waited: seconds of waiting for data in this epoch so far.
        """
        self.images += images
        for name, value in losses.items():
            self.sums.setdefault(name, []).append(value)
        self._add(epoch * self.steps + step, {f"loss/{name}": value for name, value in losses.items()} | {"lr": rate})
        text = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
        self.progress.advance(1, f"epoch {epoch + 1}/{self.epochs}, {text}, lr {rate:.3g}, {self._speed(waited)}")

    def end_epoch(self, epoch: int, waited: float, validated: dict[str, float]) -> None:
        """Log the end of an epoch.

        epoch: counted from 0. validated: figures of the val split, fractions; empty if it was not evaluated.
        """
        if self.scalars is None or not self.images:
            return
        seconds = time.monotonic() - self.start
        speed = {"images_per_second": self.images / seconds, "share_waiting_for_data": waited / seconds}
        scalars = {f"speed/{name}": value for name, value in speed.items()}
        self._add((epoch + 1) * self.steps, scalars | {f"val/{name}": value for name, value in validated.items()})
        means = ", ".join(f"{name} {np.mean(values):.3g}" for name, values in self.sums.items())
        figures = "".join(f", val {name} {value:.1%}" for name, value in validated.items())
        self._say(f"train: epoch {epoch + 1}/{self.epochs}: mean {means}, {self._speed(waited)}{figures}")

    def show(self, epoch: int, model: SORN, data: ShardDataset, device: torch.device, precision: str) -> None:
        """Add pictures of predicted parts and aggregation maps to TensorBoard.

        Predicted parts are shown beside their labels (Fig. 5), and the maps are M_1..M_N (Fig. 4).
        """
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
                [image, overlay_parts(image, label, labels), overlay_parts(image, predicted, labels)]
                for image, label, predicted in zip(images, target, parts, strict=True)
            ]
            self.scalars.add_image("parts/image, label, predicted", _side_by_side(rows), number, dataformats="HWC")
        if maps.shape[1]:
            rows = [
                [image, *(overlay_heat(image, values) for values in own)]
                for image, own in zip(images, maps, strict=True)
            ]
            self.scalars.add_image("maps/image, M_1..M_N", _side_by_side(rows), number, dataformats="HWC")

    def _add(self, number: int, scalars: dict[str, float]) -> None:
        """Add scalars of a step to TensorBoard's events and to the CSV."""
        if self.scalars is None or self.table is None:
            return
        for name, value in scalars.items():
            self.scalars.add_scalar(name, value, number)
        self.table.add(number, scalars)

    def _speed(self, waited: float) -> str:
        seconds = max(time.monotonic() - self.start, 1e-9)
        return f"{self.images / seconds:.1f} images/s, {waited / seconds:.1%} waiting for data"

    def _say(self, text: str) -> None:
        if self.progress.bar is not None:
            self.progress.bar.write(text)
        else:
            logger.info(text)


def _side_by_side(rows: list[list[np.ndarray]]) -> np.ndarray:
    """One picture of groups of pictures [H, W, 3] uint8, with white lines between groups."""
    line = np.full((rows[0][0].shape[0], 4, 3), WHITE, np.uint8)
    return np.concatenate([picture for row in rows for picture in (*row, line)][:-1], axis=1)


def picture_bytes(model: SORNConfig, size: tuple[int, int]) -> int:
    """Approximate bytes of one epoch's pictures in TensorBoard.

    size: height, width of the images.
    """
    pictures = (3 if model.semantic_branch else 0) + (1 + model.channel_sets if model.global_branch else 0)
    return int(PNG_SHARE * SHOWN * pictures * size[0] * size[1] * 3)
