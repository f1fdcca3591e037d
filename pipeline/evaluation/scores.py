"""Scores of two feature banks under a protocol, and chance level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from pipeline.datasets.manifest import Protocol
from pipeline.datasets.records import IdNames
from pipeline.errors import UserError
from pipeline.evaluation.colour_baseline import colour_rules
from pipeline.evaluation.oracle_stripes import VARIANT as EXACT_STRIPES
from pipeline.runs.config import EvalConfig
from pipeline.runtime.progress import counted
from pipeline.shards.dataset import ShardDataset
from sorn import matching, metrics
from sorn.answers import Answers, add_answers
from sorn.chance import chance, chance_cmc
from sorn.config import OF_PAPER, OF_PARTS
from sorn.features import FeatureBank
from sorn.matching import Rule
from sorn.metrics import Evaluation, Metrics, Relevance
from sorn.ranking import rank
from sorn.rerank import Reranked, Reranking
from sorn.single_shot import SingleShotEvaluation

BankPair = tuple[FeatureBank, FeatureBank]
# Query and gallery.

SIDE_BY_SIDE = ("sorn", "global+local")
# Variants of ranked lists, as in Fig. 6, to show the effect of the visibility scores; the second makes room for part
# groups.


@dataclass(frozen=True)
class FirstAnswers:
    """First answers of every query under one variant, from the whole gallery.

    first_hit: int64 [Nq], rank of the first match from 1, SKIPPED without one.
    """

    answers: Answers
    first_hit: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Scores of every matching variant.

    metrics: per variant, with colours and ground truth. chance: figure -> its expectation for a random order;
    chance_cmc: that of the curve. sweep: threshold -> what "sorn" reaches with it. shown: "best", "worst", "random" ->
    positions of the queries that pictures show. rows: variant -> per shown query its similarities [Ng]. answers: of all
    queries, per variant that lists show; empty without lists. names: identities and cameras as they are written.
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
    answers: dict[str, FirstAnswers] = field(default_factory=dict)
    names: IdNames = field(default_factory=IdNames)


def fullest(variants: Iterable[str]) -> str:
    """The paper's variant that uses most outputs of the network.

    Its average precision chooses the "best" and the "worst" queries.
    """
    return [variant for variant in variants if variant in OF_PAPER][-1]


def side_by_side(found: Mapping[str, Metrics], variants: Sequence[str]) -> list[str]:
    """Variants whose lists are shown, the paper's fullest first.

    variants: of the network.
    """
    of_parts = [variant for variant in OF_PARTS if variant in variants]
    if of_parts:
        return [fullest(variants), max(of_parts, key=lambda variant: found[variant].mean_ap)]
    return [variant for variant in SIDE_BY_SIDE if variant in variants] or list(variants)


def check_answerable(
    dataset: str, protocol: Protocol, query: ShardDataset, gallery: ShardDataset, names: IdNames
) -> None:
    """Raise UserError if no query of the protocol can have a match.

    names: cameras as they are written.
    """
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
        f"in all: {len(known)} ({', '.join(map(names.camera, known[:5].tolist()))})",
        "If the cameras are not known, number them 0 for queries and 1 for the gallery.",
    )


def restrict(bank: FeatureBank, prefix: str) -> FeatureBank:
    """The images whose name begins with the prefix."""
    chosen = np.char.startswith(bank.name.astype(str), prefix)
    return bank if chosen.all() else bank.take(chosen)


def seen_by(bank: FeatureBank, visibility: str) -> FeatureBank:
    """The bank with the visibility scores that `eval.visibility` names.

    "network" leaves it as it is; "pose" and "segmenter" replace the scores of the network.
    """
    if visibility == "network":
        return bank
    scores = {"pose": bank.pose, "segmenter": bank.segmenter}[visibility]
    assert scores is not None, "the eval stage asks for either among its inputs"
    return replace(bank, visibility=scores)


@dataclass(frozen=True)
class RankingTask:
    """Queries and the gallery in which they are ranked.

    query, gallery: banks restricted to the protocol. device: where similarities are computed. names: identities and
    cameras as they are written.
    """

    query: FeatureBank
    gallery: FeatureBank
    protocol: Protocol
    options: EvalConfig
    device: torch.device | str = "cpu"
    names: IdNames = field(default_factory=IdNames)

    @cached_property
    def relevant(self) -> Relevance:
        return metrics.relevance(self.query.pid, self.query.camid, self.gallery.pid, self.gallery.camid)

    def with_banks(self, banks: BankPair) -> RankingTask:
        """The same queries and gallery with other features."""
        return replace(self, query=banks[0], gallery=banks[1])


def score(
    task: RankingTask, explained: Iterable[str], colours: BankPair | None = None, exact: BankPair | None = None
) -> Scores:
    """Every variant and every threshold under one protocol.

    explained: names of queries with maps and parts. colours, exact: banks of the same queries and gallery, to be ranked
    too (pipeline.evaluation.colour_baseline, oracle_stripes).
    """
    query, options, single_shot = task.query, task.options, bool(task.protocol.shots)
    floor = colour_rules(query.local.shape[1], options.tau) if colours else {}
    by_chance = chance(task.relevant, options.average_precision, single_shot=single_shot)
    curve_by_chance = chance_cmc(task.relevant, single_shot=single_shot)
    rules = {variant: Rule(variant, options.tau, options.part_tau) for variant in matching.variants(query)}
    taus = {tau: Rule("sorn", tau, options.part_tau) for tau in options.tau_sweep if "sorn" in rules}
    last = matching.of_paper(query)
    again = {f"{last}+rerank": Reranked(rules[last], _reranking(options))} if options.rerank else {}
    found = _evaluated(task, [*rules.values(), *taus.values(), *again.values()])
    by_variant = {variant: found[rule] for variant, rule in rules.items()}
    if colours:
        ranked = _evaluated(task.with_banks(colours), list(floor.values()))
        by_variant = {name: ranked[rule] for name, rule in floor.items()} | by_variant
    if exact:
        rule = Rule("sorn", options.tau)
        by_variant[EXACT_STRIPES] = _evaluated(task.with_banks(exact), [rule])[rule]
    by_variant |= {name: found[rule] for name, rule in again.items()}
    shown = choose_shown(task, by_variant[last], explained)
    return Scores(
        query,
        task.gallery,
        task.relevant,
        by_variant,
        {tau: found[rule] for tau, rule in taus.items()},
        by_chance,
        curve_by_chance,
        shown,
        _rows(task, rules, sorted({number for numbers in shown.values() for number in numbers})),
        _answers(task, {variant: rules[variant] for variant in side_by_side(by_variant, list(rules))}, by_variant),
        task.names,
    )


def choose_shown(task: RankingTask, found: Metrics, explained: Iterable[str]) -> dict[str, list[int]]:
    """Queries that pictures show, among those with a match.

    "random": `ranked_queries` of the explained ones. "best" and "worst": half as many each, by average precision in all
    draws, equal ones at random.
    """
    names, count = set(explained), task.options.ranked_queries
    drawn_order = np.random.default_rng(task.options.seed).permutation(len(task.query))
    order = [number for number in drawn_order if task.relevant.usable[number]]
    drawn = [int(number) for number in order if str(task.query.name[number]) in names][:count]
    reached = found.ap.mean(axis=0)
    by_precision = [int(number) for number in sorted(order, key=lambda number: reached[number])]
    half = min(-(-count // 2), len(order) // 2)
    return {"random": drawn, "best": by_precision[::-1][:half], "worst": by_precision[:half]}


def _new_evaluation(task: RankingTask) -> Evaluation:
    options, protocol = task.options, task.protocol
    if protocol.shots:
        return SingleShotEvaluation(task.relevant, protocol.trials, options.seed, options.average_precision)
    return Evaluation(task.relevant, options.average_precision)


def _evaluated(task: RankingTask, rules: Sequence[Rule | Reranked]) -> dict[Rule | Reranked, Metrics]:
    """Every rule, in as few passes over the features as possible."""
    evaluations = {rule: _new_evaluation(task) for rule in rules}
    counted(rank(task.query, task.gallery, evaluations, task.device), len(task.query), "matching", "queries")
    return {rule: evaluation.metrics() for rule, evaluation in evaluations.items()}


def _reranking(options: EvalConfig) -> Reranking:
    return Reranking(options.rerank_k1, options.rerank_k2, options.rerank_weight)


def _rows(task: RankingTask, rules: dict[str, Rule], numbers: list[int]) -> dict[str, dict[int, np.ndarray]]:
    """variant -> query -> its similarities [Ng]."""
    rows: dict[str, dict[int, np.ndarray]] = {variant: {} for variant in rules}
    asked = task.query.take(np.array(numbers, np.int64))
    for part, similarities in matching.similarity_blocks(asked, task.gallery, list(rules.values()), task.device):
        for variant, block in zip(rules, similarities, strict=True):
            rows[variant] |= {number: row.copy() for number, row in zip(numbers[part], block, strict=True)}
    return rows


def _answers(task: RankingTask, rules: dict[str, Rule], found: Mapping[str, Metrics]) -> dict[str, FirstAnswers]:
    """Variant -> first answers of all queries; empty if no lists are wanted."""
    query, gallery, relevant = task.query, task.gallery, task.relevant
    if not task.options.ranked_queries:
        return {}
    answers = {
        rule: Answers.none(len(query), min(task.options.ranked_gallery, len(gallery))) for rule in rules.values()
    }
    counted(add_answers(query, gallery, answers, relevant, task.device), len(query), "first answers", "queries")
    whole = {rule: found[variant] for variant, rule in rules.items()}
    if task.protocol.shots:  # those figures are of draws, the lists are of the whole gallery
        evaluations: dict[Rule | Reranked, Evaluation] = {rule: Evaluation(relevant) for rule in rules.values()}
        for _ in rank(query, gallery, evaluations, task.device):
            pass
        whole = {rule: evaluations[rule].metrics() for rule in rules.values()}
    return {variant: FirstAnswers(answers[rule], whole[rule].first_hit[0]) for variant, rule in rules.items()}
