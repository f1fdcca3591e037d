"""What a protocol measures: two feature banks -> figures per matching variant, chance level, part scores. No files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Protocol
from pipeline.errors import UserError
from pipeline.evaluation.colour_baseline import colour_rules
from pipeline.evaluation.oracle_stripes import VARIANT as EXACT_STRIPES
from pipeline.features.store import Examples
from pipeline.runs.config import EvalConfig
from pipeline.runtime.progress import Progress
from pipeline.shards.dataset import ShardDataset
from sorn import matching, metrics
from sorn.batch import reduce_masks
from sorn.chance import chance, chance_cmc
from sorn.features import FeatureBank
from sorn.matching import Rule
from sorn.metrics import Evaluation, Metrics, Relevance
from sorn.parts import LABELLINGS
from sorn.ranking import rank
from sorn.rerank import Reranking, reranked_blocks
from sorn.sample import Sample, Status
from sorn.single_shot import SingleShotEvaluation

EXACT = "exact masks"
LABELLED = (Status.OK, Status.LOW_RESOLUTION, Status.SEVERAL_PEOPLE)


@dataclass(frozen=True)
class Scores:
    """metrics: per variant, those beside the network's own too. chance: figure -> its expectation for a random order;
    chance_cmc: the curve's.

    sweep: threshold -> what "sorn" reaches with it. shown: "best", "worst", "random" -> positions of the queries that
    pictures show. rows: variant -> per shown query its similarities [Ng].
    """

    query: FeatureBank
    gallery: FeatureBank
    relevant: Relevance
    metrics: dict[str, Metrics]
    sweep: dict[float, Metrics]
    chance: dict[str, float]
    chance_cmc: np.ndarray
    shown: dict[str, list[int]]
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
    return bank if chosen.all() else bank.take(chosen)


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
    query: FeatureBank,
    gallery: FeatureBank,
    protocol: Protocol,
    config: EvalConfig,
    explained: Iterable[str],
    device: torch.device | str = "cpu",
    colours: tuple[FeatureBank, FeatureBank] | None = None,
    exact: tuple[FeatureBank, FeatureBank] | None = None,
) -> Scores:
    """Every variant and every threshold under one protocol; banks already restricted to it. explained: names of queries
    whose maps and parts there are. device: where similarities are computed. colours, exact: banks of the same queries
    and gallery, to be ranked too (pipeline.evaluation.colour_baseline, exact_stripes).
    """
    relevant = metrics.relevance(query.pid, query.camid, gallery.pid, gallery.camid)
    rules = {variant: Rule(variant, config.tau if variant == "sorn" else 0.0) for variant in matching.variants(query)}
    taus = {tau: Rule("sorn", tau) for tau in config.tau_sweep if "sorn" in rules}
    found = _evaluated(query, gallery, [*rules.values(), *taus.values()], relevant, protocol, config, device)
    by_variant = {variant: found[rule] for variant, rule in rules.items()}
    last = list(rules)[-1]
    if colours:
        floor = colour_rules(query.local.shape[1], config.tau)
        ranked = _evaluated(*colours, list(floor.values()), relevant, protocol, config, device)
        by_variant = {name: ranked[rule] for name, rule in floor.items()} | by_variant
    if exact:
        rule = Rule("sorn", config.tau)
        by_variant[EXACT_STRIPES] = _evaluated(*exact, [rule], relevant, protocol, config, device)[rule]
    if config.rerank:
        by_variant[f"{last}+rerank"] = _reranked(query, gallery, rules[last], relevant, protocol, config, device)
    shown = choose_shown(query, relevant, by_variant[last], explained, config.ranked_queries, config.seed)
    return Scores(
        query,
        gallery,
        relevant,
        by_variant,
        {tau: found[rule] for tau, rule in taus.items()},
        chance(relevant, config.average_precision, single_shot=bool(protocol.shots)),
        chance_cmc(relevant, single_shot=bool(protocol.shots)),
        shown,
        _rows(query, gallery, rules, sorted({number for numbers in shown.values() for number in numbers}), device),
    )


def choose_shown(
    query: FeatureBank, relevant: Relevance, found: Metrics, explained: Iterable[str], count: int, seed: int
) -> dict[str, list[int]]:
    """Which queries pictures show, among those that have a match: "random", `count` of those that were explained,
    whatever they reached; "best" and "worst", half as many each, by average precision in all draws, equal ones at
    random.
    """
    names = set(explained)
    order = [number for number in np.random.default_rng(seed).permutation(len(query)) if relevant.usable[number]]
    drawn = [int(number) for number in order if str(query.name[number]) in names][:count]
    reached = found.ap.mean(axis=0)
    by_precision = [int(number) for number in sorted(order, key=lambda number: reached[number])]
    half = min(-(-count // 2), len(order) // 2)
    return {"random": drawn, "best": by_precision[::-1][:half], "worst": by_precision[:half]}


def _new_evaluation(relevant: Relevance, protocol: Protocol, config: EvalConfig) -> Evaluation:
    if protocol.shots:
        return SingleShotEvaluation(relevant, protocol.trials, config.seed, config.average_precision)
    return Evaluation(relevant, config.average_precision)


def _evaluated(
    query: FeatureBank,
    gallery: FeatureBank,
    rules: list[Rule],
    relevant: Relevance,
    protocol: Protocol,
    config: EvalConfig,
    device: torch.device | str,
) -> dict[Rule, Metrics]:
    """Every rule, in one pass over the features."""
    evaluations = {rule: _new_evaluation(relevant, protocol, config) for rule in rules}
    with Progress(len(query), "matching", "queries") as progress:
        for done in rank(query, gallery, evaluations, device):
            progress.advance(done)
    return {rule: evaluation.metrics() for rule, evaluation in evaluations.items()}


def _reranked(
    query: FeatureBank,
    gallery: FeatureBank,
    rule: Rule,
    relevant: Relevance,
    protocol: Protocol,
    config: EvalConfig,
    device: torch.device | str,
) -> Metrics:
    options = Reranking(config.rerank_k1, config.rerank_k2, config.rerank_weight)
    evaluation = _new_evaluation(relevant, protocol, config)
    for rows, similarity in reranked_blocks(query, gallery, rule, options, device):
        evaluation.add(rows, similarity)
    return evaluation.metrics()


def _rows(
    query: FeatureBank, gallery: FeatureBank, rules: dict[str, Rule], numbers: list[int], device: torch.device | str
) -> dict[str, dict[int, np.ndarray]]:
    """variant -> query -> its similarities [Ng]."""
    rows: dict[str, dict[int, np.ndarray]] = {variant: {} for variant in rules}
    asked = query.take(np.array(numbers, np.int64))
    for part, similarities in matching.similarity_blocks(asked, gallery, list(rules.values()), device):
        for variant, block in zip(rules, similarities, strict=True):
            rows[variant] |= {number: row.copy() for number, row in zip(numbers[part], block, strict=True)}
    return rows


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
