"""Comparison of an int8 network with fp32, on the validation split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.features.int8.record import Int8Comparison
from pipeline.features.network import Inference
from pipeline.runtime.progress import progress
from pipeline.shards.dataset import ShardDataset
from sorn.features import FeatureBank, Features
from sorn.matching import similarity_blocks
from sorn.metrics import Metrics, Relevance, evaluate, relevance
from sorn.rules import Rule, indicators, of_paper


def compare(ways: Sequence[Inference], sides: Sequence[ShardDataset], tau: float) -> Int8Comparison | str:
    """What int8 changes, or why these images cannot tell.

    ways: inference in fp32, and in int8. sides: query and gallery. tau: threshold of Eq. 12.
    """
    query, gallery = sides
    relevant = relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    if not relevant.usable.any():
        return "no query of val has a match in its gallery"
    banks = [[bank(way, data) for data in sides] for way in ways]
    rule = Rule(of_paper(banks[0][0]), tau)
    found = [_metrics(one, rule, relevant) for one in banks]
    pairs = [(one.features, other.features) for one, other in zip(*banks, strict=True)]
    moved = np.concatenate([_distances(one, other) for one, other in pairs])
    seen = [(indicators(one.visibility, tau), indicators(other.visibility, tau)) for one, other in pairs]
    changed = np.concatenate([(one != other).ravel() for one, other in seen])
    return Int8Comparison(
        len(query),
        len(gallery),
        len(np.unique(query.pid)),
        rule.variant,
        tau,
        tuple(one.rank(1) for one in found),
        tuple(one.mean_ap for one in found),
        float(np.median(moved)),
        float(changed.mean()) if changed.size else 0.0,
    )


def bank(inference: Inference, data: ShardDataset) -> FeatureBank:
    """Features of all images of a split."""
    size = inference.batch_size

    def look(chosen: np.ndarray) -> Features:
        return inference.features(data.read(chosen, *data.empty(len(chosen))), size)

    positions = np.arange(len(data))
    batches = [(positions[first : first + size],) for first in range(0, len(data), size)]
    label = f"{data.split} in {inference.precision}"
    found = Features.joined(progress(inference.run(look, batches), len(data), label, step=size))
    return FeatureBank.of(found, data.pid, data.camid, data.name)


def _metrics(banks: Sequence[FeatureBank], rule: Rule, relevant: Relevance) -> Metrics:
    blocks = similarity_blocks(banks[0], banks[1], [rule])
    return evaluate(((rows, similarity) for rows, (similarity,) in blocks), relevant)


def _distances(one: Features, other: Features) -> np.ndarray:
    """|f - f'| / |f| of every global and stripe feature; those of zero are left out."""
    found = []
    for first, second in ((one.global_, other.global_), (one.local, other.local)):
        length = np.linalg.norm(first, axis=-1)
        if first.shape[-1]:
            found.append((np.linalg.norm(first - second, axis=-1) / np.where(length, length, np.nan)).ravel())
    joined: np.ndarray = np.concatenate(found)
    kept: np.ndarray = joined[~np.isnan(joined)]
    return kept
