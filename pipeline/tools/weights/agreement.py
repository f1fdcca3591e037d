"""Agreement of a network in half precision with the trained one.

Reads images of the run's shards, or takes random ones without any. Both networks compute in fp32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.features.embedding import as_batch
from pipeline.features.network import load_network
from pipeline.labelers.base import Source
from pipeline.labelers.danet import DANetLabeler
from pipeline.runs.checkpoint_info import CheckpointInfo, describe
from pipeline.runs.config import Runtime
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.index import read_index
from sorn import engine
from sorn.batch import Batch
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.rules import Rule, of_paper

COUNT, BATCH = 128, 16  # images that are compared, and of one pass
LARGEST = 0.01  # difference of a similarity: rankings whose similarities lie closer together are decided by less
LEAST = 0.99  # share of the pixels with the same part class
SPLITS = ("query", "gallery", "train")  # the first of them that shards have


@dataclass(frozen=True)
class Images:
    """Images of different content.

    pixels: uint8 [n, H, W, 3]. source: their origin, as text.
    """

    pixels: np.ndarray
    source: str

    @property
    def text(self) -> str:
        return f"{len(self.pixels)} {self.source}"


@dataclass(frozen=True)
class HalfAgreement:
    """Result of the comparison.

    text: for the card, in words. failure: "" if both agree.
    """

    text: str
    failure: str = ""


def find_images(index: Path, size: tuple[int, int] | None = None) -> Images:
    """Images of shards, evenly over a split.

    index: of the shards. size: height and width that they must have, None for any. Without such shards, the images are
    random coloured blocks.
    """
    try:
        split = next(name for name in SPLITS if name in read_index(index).splits)
        data = ShardDataset(index, split)
        if size in (None, data.image_size) and len(data) > 1:
            rows = np.unique(np.linspace(0, len(data) - 1, COUNT).astype(int))
            return Images(np.stack([data[row].image for row in rows.tolist()]), f"images of split {split}")
    except (UserError, StopIteration):
        pass  # missing or damaged shards: any images will do
    height, width = size or (256, 128)
    blocks = np.random.default_rng(0).integers(256, size=(COUNT, height // 8, width // 8, 3), dtype=np.uint8)
    return Images(blocks.repeat(8, axis=1).repeat(8, axis=2), "random images")


def compare_sorn(about: CheckpointInfo, trained: Path, half: Path, images: Images) -> HalfAgreement:
    """Comparison of two checkpoints by the similarities of all pairs of images.

    about: of the trained one. trained, half: files of weights, the second with its description beside it.
    """
    if about.finds_parts_only:
        raise UserError(f"the network in {trained.parent} has no features", "Name one with a local or a global branch.")
    ours, theirs = _bank(about, trained, images), _bank(describe(half.parent), half, images)
    fullest = of_paper(ours)
    plain = Rule("global" if fullest == "global" else "global+local")
    found = [_similarities(bank, (plain, Rule(fullest, 0.15))) for bank in (ours, theirs)]
    largest = float(np.abs(found[0][0] - found[1][0]).max())
    same = float((found[0][1].argmax(1) == found[1][1].argmax(1)).mean())
    text = (
        f"Over {images.text}, the similarity ({plain.variant}) of a pair differs by {largest:.1e} at most, and the "
        f"most similar other image ({fullest}) is the same for {same:.1%}."
    )
    failure = f"a similarity differs by {largest:.2g}, more than {LARGEST:g}" if not largest <= LARGEST else ""
    return HalfAgreement(text, failure)


def compare_danet(trained: Path, half: Path, images: Images) -> HalfAgreement:
    """Comparison of two checkpoints of a DANet by their part classes."""
    ours, theirs = (_labels(weights, images) for weights in (trained, half))
    same = float(np.mean([a == b for a, b in zip(ours, theirs, strict=True)]))
    text = f"Over {images.text}, {same:.2%} of the pixels have the same part class."
    return HalfAgreement(text, "" if same >= LEAST else f"only {same:.1%} of the pixels have the same part class")


def _bank(about: CheckpointInfo, weights: Path, images: Images) -> FeatureBank:
    cpu = torch.device("cpu")
    network = load_network(weights, about.model, cpu)
    with torch.inference_mode():
        found = engine.extract_features(network, _batches(images), cpu, "fp32")
    numbers = np.arange(len(images.pixels))
    return FeatureBank.of(found, numbers, numbers, numbers.astype(str))


def _batches(images: Images) -> Iterator[Batch]:
    for start in range(0, len(images.pixels), BATCH):
        yield as_batch(list(images.pixels[start : start + BATCH]))


def _similarities(bank: FeatureBank, rules: tuple[Rule, ...]) -> list[np.ndarray]:
    """Similarities of all pairs [n, n] for each rule, -inf for an image with itself."""
    blocks = [[one.copy() for one in found] for _, found in similarity_blocks(bank, bank, rules)]
    whole = [np.concatenate(found) for found in zip(*blocks, strict=True)]
    np.fill_diagonal(whole[-1], -np.inf)
    return whole


def _labels(weights: Path, images: Images) -> list[np.ndarray]:
    labeler = DANetLabeler({"weights": str(weights), "precision": "fp32"}, Source(Manifest("", ""), Path()))
    labeler.prepare([], Runtime(0, "cpu"))
    return [one.mask for one in labeler.label([], list(images.pixels))]
