"""Scores: protocols choose their images, pictures show what was measured."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pipeline.datasets.manifest import Protocol
from pipeline.evaluation import scores
from pipeline.evaluation.pair_scores import CountedPairs, PairTask, count_pairs
from pipeline.evaluation.scores import RankingTask
from pipeline.runs.config import EvalConfig
from sorn import metrics
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.rules import Rule

ALL = Protocol("default", "All.")
ONE_SHOT = dataclasses.replace(ALL, shots=1, trials=6)


def bank(split: str, n: int, seed: int, camid: int) -> FeatureBank:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((n, 4), (n, 3, 4))]
    visibility = rng.random((n, 3)).astype(np.float32)
    name = np.array([f"{split}/{'ab'[i % 2]}/{i}.jpg" for i in range(n)])
    return FeatureBank(*arrays, visibility, np.arange(n) % 5, np.full(n, camid), name)


QUERY, GALLERY = bank("query", 10, 0, 0), bank("gallery", 20, 1, 1)
FEW = GALLERY.take(np.arange(3))  # pids 0, 1, 2


def test_restrict_keeps_the_rows_of_a_prefix() -> None:
    part = scores.restrict(QUERY, "query/b/")
    assert part.name.tolist() == [f"query/b/{i}.jpg" for i in (1, 3, 5, 7, 9)]
    assert (part.local == QUERY.local[1::2]).all() and (part.pid == QUERY.pid[1::2]).all()
    assert scores.restrict(QUERY, "query/") is QUERY


def test_restrict_keeps_what_others_saw_and_seen_by_uses_it() -> None:
    pose = np.linspace(0, 1, 30, dtype=np.float32).reshape(10, 3)
    part = scores.restrict(dataclasses.replace(QUERY, pose=pose, segmenter=1 - pose), "query/b/")
    assert part.pose is not None and (part.pose == pose[1::2]).all()
    assert (scores.seen_by(part, "pose").visibility == pose[1::2]).all()
    assert (scores.seen_by(part, "segmenter").visibility == 1 - pose[1::2]).all()
    assert scores.seen_by(part, "network") is part


def task(options: EvalConfig, protocol: Protocol = ALL, gallery: FeatureBank = GALLERY) -> RankingTask:
    return RankingTask(QUERY, gallery, protocol, options)


def test_shown_lists_agree_with_the_measured_first_hit() -> None:
    result = scores.score(task(EvalConfig(ranked_queries=4, ranked_gallery=3)), QUERY.name)
    assert {kind: len(numbers) for kind, numbers in result.shown.items()} == {"random": 4, "best": 2, "worst": 2}
    assert list(result.answers) == ["sorn", "global+local"]
    for variant, lists in result.answers.items():
        ((_, (similarity,)),) = similarity_blocks(QUERY, GALLERY, [Rule(variant, EvalConfig().tau)])
        for number, row in enumerate(similarity):
            order = metrics.ranking(row, result.relevant, number, len(GALLERY))
            first = int(np.isin(order, result.relevant.matches[number]).argmax()) + 1
            assert first == result.metrics[variant].first_hit[0, number]
            positions, ranks, values = lists.of(number)
            assert positions.tolist() == order[ranks - 1].tolist() and values.tolist() == row[positions].tolist()
            assert ranks.tolist() == [1, 2, 3, *([first] if first > 3 else [])]


def some_metrics(ap: list[float]) -> metrics.Metrics:
    values = np.array([ap])
    return metrics.Metrics(np.ones(values.shape, np.int64), values, values)


def test_random_queries_are_drawn_by_the_seed_among_explained_ones_with_a_match() -> None:
    names, found = [name for name in QUERY.name if not name.endswith("/0.jpg")], some_metrics([0.5] * len(QUERY))

    def drawn(count: int, seed: int) -> list[int]:
        options = EvalConfig(ranked_queries=count, seed=seed)
        return scores.choose_shown(task(options, gallery=FEW), found, names)["random"]

    assert sorted(drawn(99, 0)) == [1, 2, 5, 6, 7]
    assert drawn(3, 0) == drawn(99, 0)[:3]
    assert any(drawn(99, seed) != drawn(99, 0) for seed in range(1, 5))


def test_best_and_worst_queries_are_those_of_the_highest_and_lowest_average_precision() -> None:
    ap = [0.9, 0.1, 0.5, math.nan, math.nan, 0.2, 1.0, 0.4, math.nan, math.nan]
    shown = scores.choose_shown(task(EvalConfig(ranked_queries=4), gallery=FEW), some_metrics(ap), [])
    assert shown == {"random": [], "best": [6, 0], "worst": [1, 5]}


def test_sweep_holds_the_figures_of_every_threshold() -> None:
    config = EvalConfig(tau=0.3, tau_sweep=(0.0, 0.3, 0.9))
    result = scores.score(task(config), [])
    assert list(result.sweep) == [0.0, 0.3, 0.9]
    assert result.sweep[0.3].figures() == result.metrics["sorn"].figures()
    alone = scores.score(task(EvalConfig(tau=0.9, tau_sweep=())), [])
    assert alone.metrics["sorn"].figures() == result.sweep[0.9].figures() and alone.sweep == {}


def test_reranking_is_a_variant_of_its_own() -> None:
    result = scores.score(task(EvalConfig(rerank=True, rerank_k1=4, rerank_k2=2)), [])
    assert list(result.metrics) == ["global", "global+local", "sorn", "sorn+rerank"]
    assert result.metrics["sorn+rerank"].queries == result.metrics["sorn"].queries


def test_stripes_of_the_ground_truth_are_ranked_beside_the_others() -> None:
    exact = [dataclasses.replace(one, exact=1 - one.visibility) for one in (QUERY, GALLERY)]
    found = scores.score(RankingTask(*exact, ALL, EvalConfig(tau=0.3)), [])
    swapped = [dataclasses.replace(one, visibility=1 - one.visibility) for one in (QUERY, GALLERY)]
    alone = scores.score(RankingTask(*swapped, ALL, EvalConfig(tau=0.3)), [])
    assert list(found.metrics) == ["global", "global+local", "sorn", "sorn, exact masks"]
    assert (found.metrics["sorn, exact masks"].ap == alone.metrics["sorn"].ap).all()
    assert (found.metrics["sorn"].ap == scores.score(task(EvalConfig(tau=0.3)), []).metrics["sorn"].ap).all()
    assert not (found.metrics["sorn"].ap == alone.metrics["sorn"].ap).all()


def test_pairs_are_counted_in_the_walk_that_ranks() -> None:
    alone = count_pairs(PairTask(QUERY, GALLERY, "mine", "test", EvalConfig()))
    beside = CountedPairs.none(alone.task)
    scores.score(task(EvalConfig()), [], beside=beside.consumers)
    assert beside.calibration("c") == alone.calibration("c")
    assert (beside.nearest.other == alone.nearest.other).all() and (beside.nearest.first == alone.nearest.first).all()


def test_lists_of_a_single_shot_protocol_are_those_of_the_whole_gallery() -> None:
    drawn, whole = (scores.score(task(EvalConfig(), protocol), []) for protocol in (ONE_SHOT, ALL))
    for variant, lists in whole.answers.items():
        assert (drawn.answers[variant].first_hit == lists.first_hit).all()
        assert (drawn.answers[variant].answers.positions == lists.answers.positions).all()
    assert drawn.metrics["sorn"].trials == 6


def test_single_shot_protocol_is_drawn_and_seeded() -> None:
    once, again = (scores.score(task(EvalConfig(), ONE_SHOT), []) for _ in range(2))
    assert once.metrics["sorn"].trials == 6
    assert (once.metrics["sorn"].first_hit == again.metrics["sorn"].first_hit).all()
    assert once.chance["rank-1"] == pytest.approx(1 / 5)
