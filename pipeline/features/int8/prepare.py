"""Int8 network of a training, stored or made now.

Reads the checkpoint and the shards that it was trained on. Writes int8/ beside the checkpoint: the network and
int8.json, which tells what it was made from and what it changes on the validation split.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.datasets.manifest import QUERY_SPLITS
from pipeline.errors import UserError, reason
from pipeline.features.int8.comparison import compare
from pipeline.features.int8.network import write_probe
from pipeline.features.int8.quantise import quantise, save
from pipeline.features.int8.record import (
    GRAPH,
    OTHERWISE,
    PACKAGES,
    SCHEMA_VERSION,
    Int8Comparison,
    Int8Record,
    find_record,
    record_text,
    require_packages,
    require_shards,
    version,
    write_record,
)
from pipeline.features.network import Inference, load_network
from pipeline.io.disk import OUT, require_space, told_when_full
from pipeline.io.files import digest_file, temporary_path
from pipeline.io.text import read_json
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.config import EvalConfig
from pipeline.runs.find import place_of
from pipeline.runs.layout import CALIBRATION, INT8_FOLDER, WEIGHTS
from pipeline.runtime import distributed
from pipeline.runtime.arithmetic import INT8
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.index import read_index

logger = logging.getLogger(__name__)

IMAGES, FEWEST = 304, 64  # of the training, from which ranges are taken
CPU = torch.device("cpu")


@dataclass(frozen=True)
class StoredInt8:
    """Int8 network that is ready: its graph, and its record."""

    graph: Path
    record: Int8Record


def prepared(training: Path, about: CheckpointInfo, checkpoint: str) -> StoredInt8:
    """Int8 network of a training.

    Process 0 makes it if there is none, or one of other weights. training: folder of the checkpoint. checkpoint: its
    sha256. Raises UserError for a damaged one and, where it must be made, for missing packages, for shards that are
    gone, have too few images or images of another size, and for a folder that cannot be written.
    """
    folder = training / INT8_FOLDER
    if distributed.here().number == 0 and find_record(folder, checkpoint) is None:
        _make(training, about, checkpoint)
    distributed.meet()
    record = find_record(folder, checkpoint)
    if record is None:
        wrong = f"another process has written {folder}, but this process cannot see it"
        raise UserError(wrong, "All machines must see the same folder of runs: choose one with RUNS=.")
    return StoredInt8(folder / GRAPH, record)


def _make(training: Path, about: CheckpointInfo, checkpoint: str) -> None:
    index = require_shards(training)
    require_packages()
    data = _training_images(index, about, training)
    folder, weights = training / INT8_FOLDER, training / WEIGHTS
    require_space(folder, 3 * weights.stat().st_size, OUT)
    logger.info(f"int8: quantising {weights}, with ranges from images that it was trained on")
    network, images = load_network(weights, about.model, CPU), _some(data)
    temporary = temporary_path(training / f"{INT8_FOLDER}.{os.getpid()}")
    with told_when_full(folder, OUT):
        try:
            _make_folder(temporary)
            names = save(quantise(network, images), temporary)
            names.append(write_probe(temporary / GRAPH, about.image_size))
            comparison, note = _comparison(temporary / GRAPH, weights, about, index)
            files = {name: digest_file(temporary / name) for name in names}
            source = f"{place_of(training).full_name}, split {data.split}"
            made = (
                len(images),
                source,
                {name: version(name) for name in (*PACKAGES, "torch")},
                files,
                comparison,
                note,
            )
            record = Int8Record(SCHEMA_VERSION, checkpoint, about.image_size, *made)
            write_record(temporary, record)
            _publish(temporary, folder, record)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    logger.info(f"int8: {folder}: {record_text(record)}")


def _publish(temporary: Path, folder: Path, record: Int8Record) -> None:
    """Move a finished folder to its place, unless another process was faster; its calibration stays if it fits."""
    if find_record(folder, record.checkpoint_sha256) is not None:
        return
    old = folder / CALIBRATION
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if read_json(old).get("int8") == record.digest:
            shutil.copy2(old, temporary / CALIBRATION)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        temporary.rename(folder)
    except OSError:  # another process has come in between
        if find_record(folder, record.checkpoint_sha256) is None:
            raise


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir()
    except OSError as error:
        wrong = f"the int8 network cannot be written beside its checkpoint, into {folder.parent}: {reason(error)}"
        raise UserError(wrong, f"Make it writable, or copy the folder to one that is; {OTHERWISE}.") from error


def _training_images(index: Path, about: CheckpointInfo, training: Path) -> ShardDataset:
    data = ShardDataset(index, "train")
    if data.image_size != about.image_size:
        stored, own = ("x".join(map(str, size)) for size in (data.image_size, about.image_size))
        wrong = f"{index} has images of {stored}, and the network in {training} was trained on {own}"
        raise UserError(wrong, f"Bring back the shards that it was trained on; {OTHERWISE}.")
    if len(data) < FEWEST:
        wrong = f"{index} has {len(data)} training images, and int8 takes its ranges from {FEWEST} or more"
        raise UserError(wrong, f"{OTHERWISE[3:].capitalize()}.")
    return data


def _some(data: ShardDataset) -> np.ndarray:
    """Images evenly from the split, uint8 [n, H, W, 3]."""
    chosen = np.linspace(0, len(data) - 1, min(IMAGES, len(data))).astype(int)
    images: np.ndarray = data.__getitems__(chosen.tolist()).image.numpy()
    return images


def _comparison(graph: Path, weights: Path, about: CheckpointInfo, index: Path) -> tuple[Int8Comparison | None, str]:
    """Comparison on the validation split, or why there is none."""
    splits = ("val_query", QUERY_SPLITS["val_query"])
    if any(split not in read_index(index).splits for split in splits):
        return None, "not compared with fp32: the dataset has no validation split"
    ways = [
        Inference(weights, about.model, "cpu", "fp32"),
        Inference(weights, about.model, "cpu", INT8, int8=graph),
    ]
    found = compare(ways, [ShardDataset(index, split) for split in splits], EvalConfig.tau)
    return (None, f"not compared with fp32: {found}") if isinstance(found, str) else (found, "")
