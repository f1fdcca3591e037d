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
from pipeline.runtime.memory import giving_back
from pipeline.runtime.progress import counted
from pipeline.shards.dataset import ShardDataset
from sorn import metrics
from sorn.answers import NOBODY, Answers, AnswerTally
from sorn.chance import chance, chance_cmc
from sorn.config import OF_PAPER, OF_PARTS
from sorn.features import FeatureBank
from sorn.metrics import Evaluation, Metrics, Relevance
from sorn.ranking import Ranks, rank
from sorn.rerank import Reranked, Reranking
from sorn.rules import Rule, of_paper, variants
from sorn.single_shot import SingleShotEvaluation
from sorn.walk import Consumer

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

    def of(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Answers to one query: positions in the gallery, ranks from 1, similarities.

        The first match is the last of them if it ranks below all others.
        """
        answers, hit = self.answers, int(self.first_hit[number])
        known = answers.positions[number] != NOBODY
        positions, similarity = answers.positions[number][known], answers.similarity[number][known]
        ranks = np.arange(1, len(positions) + 1)
        if hit <= len(positions):
            return positions, ranks, similarity
        match, match_similarity = answers.match[number], answers.match_similarity[number]
        return np.append(positions, match), np.append(ranks, hit), np.append(similarity, match_similarity)


@dataclass(frozen=True)
class Scores:
    """Scores of every matching variant.

    metrics: per variant, with colours and ground truth. chance: figure -> its expectation for a random order;
    chance_cmc: that of the curve. sweep: threshold -> what "sorn" reaches with it. shown: "best", "worst", "random" ->
    positions of the queries that pictures show. variants: of the network. answers: of all queries, per variant that
    lists show, the paper's fullest first; empty without lists. names: identities and cameras as they are written.
    """

    query: FeatureBank
    gallery: FeatureBank
    relevant: Relevance
    metrics: dict[str, Metrics]
    sweep: dict[float, Metrics]
    chance: dict[str, float]
    chance_cmc: np.ndarray
    shown: dict[str, list[int]]
    variants: tuple[str, ...]
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
    listed = may_be_listed(variants)
    of_parts = [variant for variant in listed if variant in OF_PARTS]
    return [listed[0], max(of_parts, key=lambda variant: found[variant].mean_ap)] if of_parts else listed


def may_be_listed(variants: Sequence[str]) -> list[str]:
    """Variants of which `side_by_side` chooses."""
    of_parts = [variant for variant in OF_PARTS if variant in variants]
    if of_parts:
        return [fullest(variants), *of_parts]
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
    chosen = np.flatnonzero(np.char.startswith(bank.name, prefix))
    if len(chosen) == len(bank):
        return bank
    first, last = (int(chosen[0]), int(chosen[-1])) if len(chosen) else (0, -1)
    side_by_side = last + 1 - first == len(chosen)
    return bank.take(slice(first, last + 1) if side_by_side else chosen)


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
    task: RankingTask,
    explained: Iterable[str],
    colours: BankPair | None = None,
    beside: Sequence[Consumer] = (),
) -> Scores:
    """Every variant and every threshold under one protocol.

    They take one walk, also for the stripes of the ground truth if the banks hold them. explained: names of queries
    with maps and parts. colours: banks of the same queries and gallery, ranked in a walk of their own
    (pipeline.evaluation.colour_baseline). beside: further consumers of the walk.
    """
    query, options, single_shot = task.query, task.options, bool(task.protocol.shots)
    floor = colour_rules(query.local.shape[1], options.tau) if colours else {}
    by_chance = chance(task.relevant, options.average_precision, single_shot=single_shot)
    curve_by_chance = chance_cmc(task.relevant, single_shot=single_shot)
    rules = {variant: Rule(variant, options.tau, options.part_tau) for variant in variants(query)}
    taus = {tau: Rule("sorn", tau, options.part_tau) for tau in options.tau_sweep if "sorn" in rules}
    last = of_paper(query)
    again = {f"{last}+rerank": Reranked(rules[last], _reranking(options))} if options.rerank else {}
    exact = {EXACT_STRIPES: Rule("sorn", options.tau, exact=True)} if query.exact is not None else {}
    lists = _Lists(task, rules)
    plain = [*rules.values(), *taus.values(), *exact.values()]
    found = _evaluated(task, [*plain, *again.values()], [*lists.consumers, *beside])
    by_variant = {variant: found[rule] for variant, rule in rules.items()}
    if colours:
        ranked = _evaluated(task.with_banks(colours), list(floor.values()))
        by_variant = {name: ranked[rule] for name, rule in floor.items()} | by_variant
    by_variant |= {name: found[rule] for name, rule in (exact | again).items()}
    return Scores(
        query,
        task.gallery,
        task.relevant,
        by_variant,
        {tau: found[rule] for tau, rule in taus.items()},
        by_chance,
        curve_by_chance,
        choose_shown(task, by_variant[last], explained),
        tuple(rules),
        lists.answers(by_variant),
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


def _evaluated(
    task: RankingTask, rules: Sequence[Rule | Reranked], beside: Sequence[Consumer] = ()
) -> dict[Rule | Reranked, Metrics]:
    """Every rule, in one walk."""
    evaluations = {rule: _new_evaluation(task) for rule in rules}
    done = rank(task.query, task.gallery, evaluations, task.device, beside)
    counted(giving_back(done), len(task.query), "matching", "queries")
    return {rule: evaluation.metrics() for rule, evaluation in evaluations.items()}


def _reranking(options: EvalConfig) -> Reranking:
    return Reranking(options.rerank_k1, options.rerank_k2, options.rerank_weight)


class _Lists:
    """First answers of all queries, in the whole gallery; nothing if no lists are wanted."""

    def __init__(self, task: RankingTask, rules: Mapping[str, Rule]) -> None:
        variants = may_be_listed(list(rules)) if task.options.ranked_queries else []
        length = min(task.options.ranked_gallery, len(task.gallery))
        self.tallies = {variant: AnswerTally(rules[variant], len(task.query), length) for variant in variants}
        drawn = variants if task.protocol.shots else []  # their figures are of draws, the lists of the whole gallery
        self.whole = {variant: Evaluation(task.relevant) for variant in drawn}
        self.ranks = Ranks(task.query, task.gallery, {rules[name]: one for name, one in self.whole.items()})

    @property
    def consumers(self) -> list[Consumer]:
        return [*self.tallies.values(), self.ranks]

    def answers(self, found: Mapping[str, Metrics]) -> dict[str, FirstAnswers]:
        """Variant -> what the walk has found. found: figures of the same walk."""
        if not self.tallies:
            return {}
        whole = dict(found) | {variant: one.metrics() for variant, one in self.whole.items()}
        return {
            variant: FirstAnswers(self.tallies[variant].answers, whole[variant].first_hit[0])
            for variant in side_by_side(found, list(self.tallies))
        }
