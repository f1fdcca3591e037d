"""Features of the user's own pictures.

Reads model.safetensors, config.json and images. Pictures
are treated like the images of an evaluation: same decoding, same resizing, same network in the same precision. So the
same picture has the same features in both banks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch

from pipeline.datasets.image_folder import PictureFolder, read_pictures
from pipeline.errors import UserError
from pipeline.features.int8.prepare import StoredInt8, prepared
from pipeline.features.int8.record import require_cpu, version
from pipeline.features.network import Inference
from pipeline.io.disk import OUT, reserve, told_when_full
from pipeline.io.files import digest_file
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.find import find_training
from pipeline.runs.layout import WEIGHTS
from pipeline.runtime.arithmetic import INT8
from pipeline.runtime.progress import progress
from sorn.batch import Batch
from sorn.features import FeatureBank, Features

logger = logging.getLogger(__name__)

KERNELS = 2  # increased when the same network is computed with other last bits
UNKNOWN = -1  # pid and camid: they are not guessed from the name of a file


@dataclass(frozen=True)
class Embedder:
    """Trained network that extracts features of pictures.

    about: content of config.json. sha256: of the weights. device, precision: as requested, e.g. "auto". most: largest
    number of images per forward pass. flip: whether features are means over a picture and its mirror image.
    """

    weights: Path
    about: CheckpointInfo
    sha256: str
    device: str
    precision: str
    most: int
    flip: bool = False

    @cached_property
    def inference(self) -> Inference:
        """Network as an evaluation runs it. Raises UserError for a damaged network."""
        graph = self.int8.graph if self.int8 else None
        return Inference(self.weights, self.about.model, self.device, self.precision, self.most, graph)

    @cached_property
    def int8(self) -> StoredInt8 | None:
        """Int8 network, for the precision of that name.

        Raises UserError as `prepared` does.
        """
        if self.precision != INT8:
            return None
        require_cpu(self.device)
        return prepared(self.weights.parent, self.about, self.sha256)

    @property
    def batch_size(self) -> int:
        return self.inference.batch_size

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of its training images, pixels."""
        return self.about.image_size

    @property
    def config(self) -> str:
        """JSON of model and precision, as in features.h5.

        Features depend on them, on the weights and on the pictures.
        """
        made_from = {"model": self.about.stored_model, "precision": self.inference.precision}
        made_from |= {"int8": self.int8.record.digest} if self.int8 else {}
        return json.dumps(made_from | ({"flip": True} if self.flip else {}), sort_keys=True)

    @property
    def machine(self) -> str:
        """PyTorch, device, batch size and kernels, which decide the last bits."""
        device = self.inference.device
        name = torch.cuda.get_device_name(device) if self.inference.on_gpu else torch.backends.cpu.get_cpu_capability()
        made = f"torch {torch.__version__}, {device.type} {name}, batches of {self.batch_size}, kernels {KERNELS}"
        return f"{made}, openvino {version('openvino')}" if self.int8 else made

    def features(self, batches: Iterator[Batch], size: int = 0) -> Iterator[Features]:
        """Features of each batch.

        All forward passes have `batch_size` images, or `size`. So the features of a picture do not depend on the other
        pictures of its batch.
        """
        inference, size, flip = self.inference, size or self.batch_size, self.flip

        def look(batch: Batch) -> Features:
            return inference.features(batch, size, flip)

        return inference.run(look, ((batch,) for batch in batches))

    def parts(self, images: list[np.ndarray]) -> np.ndarray:
        """Predicted class of every pixel, [n, 4h, 4w] uint8; [n, 0, 0] without a semantic branch."""
        return self.inference.explain(as_batch(images))[1]


def load_embedder(
    model: str | Path,
    runs: Path,
    device: str = "auto",
    precision: str = "auto",
    batch_size: int = 64,
    flip: bool = False,
) -> Embedder:
    """Embedder of a run or a training.

    model: folder or name, as `find_training` takes it. Raises UserError for a network that is missing or damaged, and
    for one that only predicts part masks.
    """
    folder = find_training(model, runs)
    about = describe(folder)
    if about.finds_parts_only:
        raise UserError(
            f"the network in {folder} has neither a global nor a local branch, so it has no features to compare",
            "Give a network with one of these branches.",
        )
    weights = folder / WEIGHTS
    return Embedder(weights, about, digest_file(weights), device, precision, batch_size, flip)


def as_batch(images: list[np.ndarray]) -> Batch:
    """Batch of pictures without labels.

    images: [H, W, 3] uint8, all of one size.
    """
    count = len(images)
    pixels = torch.from_numpy(np.stack(images))
    unlabelled = torch.zeros(count, dtype=torch.bool)
    label = torch.full((count,), UNKNOWN)
    return Batch(pixels, torch.zeros(pixels.shape[:3], dtype=torch.uint8), label, torch.arange(count), unlabelled)


def embed(
    embedder: Embedder, folder: PictureFolder, names: Sequence[str], scratch: Path | None = None
) -> tuple[FeatureBank | None, dict[str, str]]:
    """Bank of some pictures of a folder, and the other pictures.

    The bank is None without a readable picture; the others are name -> what is wrong. scratch: folder for unnamed
    temporary files with the features, so that they need not fit into memory. Raises UserError for features that are not
    finite.
    """
    kept: list[str] = []
    left_out: dict[str, str] = {}
    stored: list[np.ndarray] = []
    with closing(read_pictures(folder, names, embedder.image_size)) as pictures:

        def batches() -> Iterator[Batch]:
            waiting: list[np.ndarray] = []
            for read in progress(pictures, len(names), "features"):
                if read.image is None:
                    left_out[read.name] = read.wrong
                    continue
                kept.append(read.name)
                waiting.append(read.image)
                if len(waiting) == embedder.batch_size:
                    yield as_batch(waiting)
                    waiting = []
            if waiting:
                yield as_batch(waiting)

        done = 0
        for piece in embedder.features(batches()):
            stored = stored or [empty_rows(len(names), values.shape[1:], scratch) for values in piece]
            end = done + len(piece[0])
            _require_usable(piece, kept[done:end])
            for rows, values in zip(stored, piece, strict=True):
                rows[done:end] = values
            done = end
    if not kept:
        return None, left_out
    return own_bank(Features(*(rows[:done] for rows in stored)), kept), left_out


def own_bank(features: Features, names: Sequence[str]) -> FeatureBank:
    """Bank of the user's own pictures."""
    unknown = np.full(len(names), UNKNOWN, np.int64)
    return FeatureBank.of(features, unknown, unknown, np.array(names))


def _require_usable(piece: tuple[np.ndarray, ...], names: list[str]) -> None:
    for values in piece:
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            raise UserError(
                f"the network's features are not finite, first those of {names[int(bad.argmax())]}",
                "Try --precision fp32. If that does not help, the training diverged.",
            )


def empty_rows(count: int, shape: tuple[int, ...], scratch: Path | None) -> np.ndarray:
    """Empty array float32 [count, *shape].

    It is in memory, or in an unnamed file in the folder `scratch` that is removed with the array.
    """
    if scratch is None or 0 in shape:
        return np.empty((count, *shape), np.float32)
    with TemporaryFile(dir=scratch) as file, told_when_full(scratch, OUT):
        reserve(file.fileno(), 4 * count * int(np.prod(shape)))
        return np.memmap(file, np.float32, "r+", shape=(count, *shape))
