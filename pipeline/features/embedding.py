"""Feature banks of the user's own pictures.

Reads model.safetensors, config.json and images. Writes bank.h5, in the schema of `pipeline.features.store`. Pictures
are treated like the images of an evaluation: same decoding, same resizing, same network in the same precision. So the
same picture has the same features in both banks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch

from pipeline.datasets.image_folder import PictureFolder, counted, read_pictures
from pipeline.errors import UserError
from pipeline.features import store
from pipeline.features.mapped import MappedBank, open_bank
from pipeline.features.network import Inference
from pipeline.io.disk import OUT, require_space, reserve, told_when_full
from pipeline.io.files import digest_file, digest_json
from pipeline.io.hdf5 import HeldOpen
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.find import find_training
from pipeline.runs.layout import WEIGHTS
from pipeline.runtime.progress import progress
from sorn import engine
from sorn.batch import Batch
from sorn.features import FeatureBank

logger = logging.getLogger(__name__)

EMBEDDING_VERSION = 1  # increased when a bank changes for the same checkpoint and pictures
UNKNOWN = -1  # pid and camid: they are not guessed from the name of a file


@dataclass(frozen=True)
class Embedder:
    """Trained network that extracts features of pictures.

    about: content of config.json. sha256: of the weights. device, precision: as requested, e.g. "auto". most: largest
    number of images per forward pass.
    """

    weights: Path
    about: CheckpointInfo
    sha256: str
    device: str
    precision: str
    most: int

    @cached_property
    def inference(self) -> Inference:
        """Network as an evaluation runs it. Raises UserError for a damaged network."""
        return Inference(self.weights, self.about.model, self.device, self.precision)

    @property
    def batch_size(self) -> int:
        return self.inference.batch_size(self.most)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of its training images, pixels."""
        return self.about.image_size

    @property
    def config(self) -> str:
        """JSON of model and precision, as in features.h5.

        Features depend on them, on the weights and on the pictures.
        """
        return json.dumps({"model": self.about.stored_model, "precision": self.inference.precision}, sort_keys=True)

    def features(self, batches: Iterator[Batch]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Features of each batch: global [n, Dg], local [n, P, Dl], visibility [n, P], float32.

        All forward passes have `batch_size` images. So the features of a picture do not depend on the other pictures of
        its batch.
        """
        inference, size = self.inference, self.batch_size

        def look(batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return engine.extract_features(inference.network, [batch], inference.device, inference.precision, size)

        return inference.run(look, ((batch,) for batch in batches))

    def parts(self, images: list[np.ndarray]) -> np.ndarray:
        """Predicted class of every pixel, [n, 4h, 4w] uint8; [n, 0, 0] without a semantic branch."""
        inference = self.inference
        return engine.explain(inference.network, as_batch(images), inference.device, inference.precision)[1]


def load_embedder(
    model: str | Path, runs: Path, device: str = "auto", precision: str = "auto", batch_size: int = 64
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
    return Embedder(weights, about, digest_file(weights), device, precision, batch_size)


def as_batch(images: list[np.ndarray]) -> Batch:
    """Batch of pictures without labels.

    images: [H, W, 3] uint8, all of one size.
    """
    count = len(images)
    pixels = torch.from_numpy(np.stack(images))
    unlabelled = torch.zeros(count, dtype=torch.bool)
    label = torch.full((count,), UNKNOWN)
    return Batch(pixels, torch.zeros(pixels.shape[:3], dtype=torch.uint8), label, torch.arange(count), unlabelled)


def kept_bank(embedder: Embedder, folder: PictureFolder, path: Path) -> MappedBank:
    """Bank of the pictures in the file `path`.

    It is extracted now, unless the file holds the features of this network and these pictures already. Raises UserError
    for a file that is not a bank of the user's own pictures: it is not replaced.
    """
    attrs = _attrs(embedder, folder)
    if path.exists():
        _require_own(path)
        if store.read_attrs(path).get("fingerprint") == attrs["fingerprint"]:
            logger.warning(f"{path} holds the features of this network and these pictures already")
            return open_bank(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    features = 4 * embedder.inference.network.feature_width * len(folder.names)  # float32
    require_space(path, 2 * features, OUT)  # once more while they are computed
    bank, left_out = embed(embedder, folder, path.parent)
    store.write_bank(path, bank, attrs | _made(embedder, left_out))
    return open_bank(path)


def bank_in_memory(embedder: Embedder, folder: PictureFolder) -> MappedBank:
    """Bank of the pictures, without a file."""
    bank, left_out = embed(embedder, folder)
    return MappedBank(folder.root, bank, _attrs(embedder, folder) | _made(embedder, left_out))


def embed(embedder: Embedder, folder: PictureFolder, scratch: Path | None = None) -> tuple[FeatureBank, str]:
    """Bank of all readable pictures, and a text on the others.

    The text is "" if no picture was left out. scratch: folder for unnamed temporary files with the features, so that
    they need not fit into memory. Raises UserError if no picture can be read, and for features that are not finite.
    """
    kept: list[str] = []
    left_out = dict(folder.others)
    stored: list[np.ndarray] = []
    with closing(read_pictures(folder, embedder.image_size)) as pictures:

        def batches() -> Iterator[Batch]:
            waiting: list[np.ndarray] = []
            for read in progress(pictures, len(folder.names), "features"):
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
            stored = stored or [_rows(len(folder.names), values.shape[1:], scratch) for values in piece]
            end = done + len(piece[0])
            _require_usable(piece, kept[done:end])
            for rows, values in zip(stored, piece, strict=True):
                rows[done:end] = values
            done = end
    if not kept:
        raise UserError(f"no picture in {folder.root} can be read: {counted(left_out)}", "Give other pictures.")
    unknown = np.full(done, UNKNOWN, np.int64)
    fields = [rows[:done] for rows in stored]
    return FeatureBank(fields[0], fields[1], fields[2], unknown, unknown, np.array(kept)), (
        counted(left_out) if left_out else ""
    )


def _attrs(embedder: Embedder, folder: PictureFolder) -> dict[str, str]:
    """Sources of a bank; `fingerprint` is the digest of all others."""
    attrs = {
        "checkpoint_sha256": embedder.sha256,
        "config": embedder.config,
        "image_size": json.dumps(list(embedder.image_size)),
        "folder": str(folder.root.absolute()),
        "files": folder.digest,
    }
    return attrs | {"fingerprint": digest_json([EMBEDDING_VERSION, attrs])}


def _made(embedder: Embedder, left_out: str) -> dict[str, str]:
    """Further attributes of a bank. `batch_size`: of its forward passes, also used for queries."""
    return {"left_out": left_out, "batch_size": str(embedder.most)}


def _require_own(path: Path) -> None:
    remedy = "Give another file as --out, or delete this one."
    try:
        own = "folder" in store.read_attrs(path)
    except HeldOpen:
        raise
    except UserError as error:
        raise UserError(f"{error.wrong}; it is not replaced", remedy) from error
    if not own:
        raise UserError(f"{path} is the feature bank of an evaluation; it is not replaced", remedy)


def _require_usable(piece: tuple[np.ndarray, ...], names: list[str]) -> None:
    for values in piece:
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            raise UserError(
                f"the network's features are not finite, first those of {names[int(bad.argmax())]}",
                "Try --precision fp32. If that does not help, the training diverged.",
            )


def _rows(count: int, shape: tuple[int, ...], scratch: Path | None) -> np.ndarray:
    """Empty array float32 [count, *shape], in memory or in an unnamed file that is removed with the array."""
    if scratch is None or 0 in shape:
        return np.empty((count, *shape), np.float32)
    with TemporaryFile(dir=scratch) as file, told_when_full(scratch, OUT):
        reserve(file.fileno(), 4 * count * int(np.prod(shape)))
        return np.memmap(file, np.float32, "r+", shape=(count, *shape))
