"""Colour histograms of stripes as features: a baseline without training.

Nothing is kept: reading an image of 384x128 and counting its colours takes half a millisecond of one core, where
storing them takes 3 KB. For 2,000 queries and a gallery of 18,000 that is 11 s of computing time, where matching takes
152 s.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from pipeline.runtime.progress import Progress
from pipeline.shards.dataset import ShardDataset
from sorn.colour import BINS, VARIANTS, bin_table, colour_histograms, stripes_for
from sorn.features import FeatureBank
from sorn.rules import Rule

IMAGES = 64  # read at a time


def colour_bank(bank: FeatureBank, data: ShardDataset) -> FeatureBank:
    """Bank of the same images with colour histograms as local features.

    There are no global features.
    A stripe of colour is as visible as the network's stripe that it lies in. data: of the split that holds them.
    """
    parts = bank.local.shape[1]
    stripes = stripes_for(parts)
    row_of = {str(name): row for row, name in enumerate(data.name)}
    rows = np.array([row_of[str(name)] for name in bank.name], np.int64)
    colours = _histograms(data, rows, stripes)
    visible = np.ones((len(rows), stripes), np.float32)
    if parts:
        visible = np.repeat(bank.visibility, stripes // parts, axis=1)
    none = np.empty((len(rows), 0), np.float32)
    return FeatureBank(none, colours, visible, bank.pid, bank.camid, bank.name)


def _histograms(data: ShardDataset, rows: np.ndarray, stripes: int) -> np.ndarray:
    """Histograms of the images at these rows, float32 [n, stripes, BINS]; as many threads as torch has share them."""
    found = np.empty((len(rows), stripes, BINS), np.float32)

    def count(first: int) -> int:
        chosen = rows[first : first + IMAGES]
        images = data.read(chosen, *data.empty(len(chosen))).image.numpy()
        found[first : first + IMAGES] = colour_histograms(images, stripes)
        return len(chosen)

    bin_table()  # made once, not by every thread
    with (
        Progress(len(rows), f"colours of {data.split}") as progress,
        ThreadPoolExecutor(torch.get_num_threads()) as pool,
    ):
        for done in pool.map(count, range(0, len(rows), IMAGES)):
            progress.advance(done)
    return found


def colour_rules(parts: int, tau: float) -> dict[str, Rule]:
    """Name of a row -> rule that ranks such banks.

    parts: stripes of the network; with 0 there are no visibility scores, and only one rule.
    """
    every, visible = VARIANTS
    return {every: Rule("global+local"), **({visible: Rule("sorn", tau)} if parts else {})}
