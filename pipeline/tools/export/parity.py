"""Parity check of an exported file and the original network.

Reads a few images of the run's shards, if there are any. The outputs are compared for several batches of different
sizes. docs/formats.md explains the figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.runs.find import place_of
from pipeline.runs.layout import INDEX
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.index import read_index
from sorn.export import DISTINCT, FEATURE_TOLERANCE, VISIBILITY_TOLERANCE, Parity, parity

BATCHES = (1, 2, 5, 5, 2, 1)  # images per batch; no image twice
Run = Callable[[Tensor], dict[str, Tensor]]  # images [B, H, W, 3] uint8 -> outputs by name


@dataclass(frozen=True)
class Probe:
    """Images for the parity check.

    images: all different, uint8 [n, H, W, 3]. source: their origin, as text.
    """

    images: Tensor
    source: str

    def run(self, network: Run) -> dict[str, Tensor]:
        """Outputs of all images, batch by batch."""
        with torch.inference_mode():
            batches = [network(batch) for batch in torch.split(self.images, list(BATCHES))]
        return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}

    @property
    def text(self) -> str:
        return f"{len(self.images)} {self.source}, in batches of {', '.join(map(str, sorted(set(BATCHES))))}"


def find_probe(training: Path, size: tuple[int, int]) -> Probe:
    """Images of different people from the shards of a training.

    If the shards are missing, have another image size or too few people, the images are random coloured blocks.
    """
    count, place = sum(BATCHES), place_of(training)
    index = place.runs / place.name / "masks" / INDEX
    try:
        splits = read_index(index).splits
        data = ShardDataset(index, "query" if "query" in splits else next(iter(splits)))
        _, first = np.unique(data.pid, return_index=True)
        if data.image_size == size and len(first) >= count:
            chosen = first[np.linspace(0, len(first) - 1, count).astype(int)]
            return Probe(data.__getitems__(chosen.tolist()).image, f"images of different people, split {data.split}")
    except (UserError, StopIteration):
        pass  # missing or damaged shards: the check works with any images
    rng = np.random.default_rng(0)
    blocks = rng.integers(256, size=(count, size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    return Probe(torch.from_numpy(blocks.repeat(8, axis=1).repeat(8, axis=2)), "random images")


@dataclass(frozen=True)
class Check:
    """Reference of the parity check.

    original: outputs of the network for the images of the probe. tau: threshold of Eq. 12.
    """

    probe: Probe
    original: dict[str, Tensor]
    tau: float

    def figures(self, copy: Run) -> list[Parity]:
        """Parity of every output. Raises ValueError naming the outputs beyond tolerance."""
        outputs = self.probe.run(copy)
        if outputs.keys() != self.original.keys():
            raise ValueError(f"its outputs are {', '.join(outputs)}, not {', '.join(self.original)}")
        found = [parity(name, value, outputs[name], self.tau) for name, value in self.original.items()]
        failures = [f"{one.output}: {failure}" for one in found for failure in one.failures()]
        if failures:
            raise ValueError("; ".join(failures))
        return found

    def as_json(self, found: list[Parity]) -> dict[str, object]:
        """JSON value of the figures, with null for a missing figure."""
        outputs = [{key: None if value != value else value for key, value in asdict(one).items()} for one in found]
        tolerance = {"relative": FEATURE_TOLERANCE, "visibility": VISIBILITY_TOLERANCE, "distinct": DISTINCT}
        images = {"images": len(self.probe.images), "source": self.probe.source, "batches": list(BATCHES)}
        return {**images, "tolerance": tolerance, "outputs": outputs}


def table(found: list[Parity]) -> list[str]:
    """Lines for the terminal."""
    heads = ("largest difference", "relative", "most similar images")
    lines = [f"  {'output':12}{heads[0]:>20}{heads[1]:>12}{heads[2]:>22}{'indicators':>12}"]
    for one in found:
        whole = one.output == "visibility"
        relative, distinct = ("", "") if whole else (f"{one.relative:.1e}", f"{one.distinct:.3f}")
        changed = f"{one.indicators} differ" if whole else ""
        lines.append(f"  {one.output:12}{one.largest:>20.1e}{relative:>12}{distinct:>22}{changed:>12}".rstrip())
    return lines
