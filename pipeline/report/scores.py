"""What a protocol measures: two feature banks -> figures per matching variant, chance level, part scores. No files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from pipeline.config import EvalConfig
from pipeline.errors import UserError
from pipeline.exact_masks import ExactMasks
from pipeline.feature_store import Examples
from pipeline.manifest import Protocol
from pipeline.shard_dataset import ShardDataset
from sorn import matching, metrics
from sorn.batch import reduce_masks
from sorn.features import FeatureBank
from sorn.metrics import Metrics, Relevance
from sorn.parts import LABELLINGS
from sorn.sample import Sample, Status

EXACT = "exact masks"
LABELLED = (Status.OK, Status.LOW_RESOLUTION, Status.SEVERAL_PEOPLE)


@dataclass(frozen=True)
class Scores:
    """metrics: per variant. chance: figure -> its expectation for a random order.

    shown: positions of the queries that the pictures show. rows: variant -> per shown query its similarities [Ng].
    """

    query: FeatureBank
    gallery: FeatureBank
    relevant: Relevance
    metrics: dict[str, Metrics]
    chance: dict[str, float]
    shown: list[int]
    rows: dict[str, dict[int, np.ndarray]]


def check_answerable(dataset: str, protocol: Protocol, query: ShardDataset, gallery: ShardDataset) -> None:
    """Raise UserError, before any work, when no query of the protocol can have a match."""
    asked = np.char.startswith(query.name, protocol.query_prefix)
    ranked = np.char.startswith(gallery.name, protocol.gallery_prefix)
    look = f"see: sorn data check {dataset}"
    for prefix, chosen in ((protocol.query_prefix, asked), (protocol.gallery_prefix, ranked)):
        if not chosen.any():
            wrong = f"no image of {dataset} is called '{prefix}...', as protocol '{protocol.name}' wants"
            raise UserError(wrong, f"Correct the protocol in the manifest; {look}")
    pids, cameras = (query.pid[asked], gallery.pid[ranked]), (query.camid[asked], gallery.camid[ranked])
    if metrics.relevance(pids[0], cameras[0], pids[1], cameras[1]).usable.any():
        return
    what = f"none of the {len(pids[0])} queries of {dataset} has a match among {len(pids[1])} gallery images"
    if not np.isin(*pids).any():
        raise UserError(f"{what}: no query pid occurs in the gallery", f"Number a person alike in both; {look}")
    known = np.unique(np.concatenate(cameras))
    raise UserError(
        f"{what}: images of the same person by the query's own camera do not count, and there are no others; cameras "
        f"in all: {len(known)} ({', '.join(map(str, known[:5]))})",
        "If the cameras are not known, number them 0 for queries and 1 for the gallery.",
    )


def restrict(bank: FeatureBank, prefix: str) -> FeatureBank:
    """The images whose name begins with the prefix."""
    chosen = np.char.startswith(bank.name.astype(str), prefix)
    if chosen.all():
        return bank
    arrays = {field.name: getattr(bank, field.name) for field in fields(bank)}
    kept: dict[str, Any] = {name: None if array is None else array[chosen] for name, array in arrays.items()}
    return FeatureBank(**kept)


def seen_by(bank: FeatureBank, visibility: str) -> FeatureBank:
    """The bank as it is for "network"; for "pose" and "segmenter" with their scores in place of its own. visibility: as
    in `eval.visibility`.
    """
    if visibility == "network":
        return bank
    scores = {"pose": bank.pose, "segmenter": bank.segmenter}[visibility]
    assert scores is not None, "the eval stage asks for either among its inputs"
    return replace(bank, visibility=scores)


def score(
    query: FeatureBank, gallery: FeatureBank, protocol: Protocol, config: EvalConfig, explained: Iterable[str]
) -> Scores:
    """Every variant under one protocol; banks already restricted to it. explained: names of queries worth showing."""
    relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    shown = choose_shown(query, relevant, explained, config.ranked_queries, config.seed)
    found: dict[str, Metrics] = {}
    rows: dict[str, dict[int, np.ndarray]] = {}
    for variant in matching.variants(query):
        rows[variant] = {}
        blocks = _remember(matching.similarity_blocks(query, gallery, variant, config.tau), shown, rows[variant])
        if protocol.shots:
            found[variant] = metrics.evaluate_single_shot(
                blocks, relevant, protocol.trials, config.seed, config.average_precision
            )
        else:
            found[variant] = metrics.evaluate(blocks, relevant, config.average_precision)
    chance = metrics.chance(relevant, config.average_precision, single_shot=bool(protocol.shots))
    return Scores(query, gallery, relevant, found, chance, shown, rows)


def choose_shown(query: FeatureBank, relevant: Relevance, explained: Iterable[str], count: int, seed: int) -> list[int]:
    """Positions of `count` queries drawn at random, out of those that have a match and were explained."""
    names = set(explained)
    usable = relevant.usable
    order = np.random.default_rng(seed).permutation(len(query)).tolist()
    return [number for number in order if usable[number] and str(query.name[number]) in names][:count]


def _remember(
    blocks: Iterable[tuple[slice, np.ndarray]], wanted: list[int], rows: dict[int, np.ndarray]
) -> Iterator[tuple[slice, np.ndarray]]:
    """Hand blocks on, and keep the rows of the wanted queries: pictures show the very numbers that were measured."""
    for part, block in blocks:
        for number in wanted:
            if part.start <= number < part.stop:
                rows[number] = block[number - part.start].copy()
        yield part, block


@dataclass(frozen=True)
class PartReference:
    """What predicted parts are held against: the exact mask of an image that has one, else its label.

    sample_of: image name -> Sample. labeler: who made the labels. labels: K of the network.
    """

    sample_of: Callable[[str], Sample]
    exact: ExactMasks
    labeler: str
    labels: int

    def find(self, name: str, size: tuple[int, int]) -> tuple[str, np.ndarray] | None:
        """What there is, in words, and its class ids uint8 [h', w'] at the network's size; None for neither."""
        sample = self.sample_of(name)
        mask, kind = self.exact.read(name, sample.mask.shape), EXACT
        if mask is None:
            if sample.status not in LABELLED:
                return None
            mask, kind = sample.mask, f"the labels of {self.labeler}"
        reduced = reduce_masks(torch.from_numpy(np.array(mask))[None], size, self.labels, "majority")
        return kind, reduced[0].numpy().astype(np.uint8)


def part_scores(examples: Examples, reference: PartReference, names: Iterable[str]) -> dict[str, object] | None:
    """Predicted parts of the explained queries among `names` against their reference; None where none has one.

    against: what that is, in words -> images. iou is None for a class that neither shows.
    """
    labels = reference.labels
    chosen, counts, against = set(names), np.zeros((labels, labels), np.int64), Counter[str]()
    for name, parts in zip(examples.name, examples.parts, strict=True):
        if str(name) not in chosen or parts.size == 0:
            continue
        found = reference.find(str(name), parts.shape)
        if found is not None:
            kind, label = found
            counts += metrics.confusion(parts, label, labels)
            against[kind] += 1
    if not against:
        return None
    iou = [None if np.isnan(value) else float(value) for value in metrics.class_iou(counts)]
    return {
        "images": against.total(),
        "against": dict(against),
        "mIoU": metrics.mean_iou(counts),
        "pixel_accuracy": metrics.pixel_accuracy(counts),
        "iou": dict(zip(LABELLINGS[labels], iou, strict=True)),
    }
