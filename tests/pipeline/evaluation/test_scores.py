"""Scores: protocols choose their images, pictures show what was measured."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pipeline.datasets.manifest import Protocol
from pipeline.evaluation import scores
from pipeline.evaluation.scores import RankingTask
from pipeline.runs.config import EvalConfig
from sorn import metrics
from sorn.features import FeatureBank

ALL = Protocol("default", "All.")


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
    result = scores.score(task(EvalConfig(ranked_queries=4)), QUERY.name)
    assert {kind: len(numbers) for kind, numbers in result.shown.items()} == {"random": 4, "best": 2, "worst": 2}
    for variant, found in result.metrics.items():
        for number in result.rows[variant]:
            order = metrics.ranking(result.rows[variant][number], result.relevant, number, len(GALLERY))
            first = int(np.isin(order, result.relevant.matches[number]).argmax()) + 1
            assert first == found.first_hit[0, number]


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


def test_single_shot_protocol_is_drawn_and_seeded() -> None:
    once, again = (scores.score(task(EvalConfig(), dataclasses.replace(ALL, shots=1, trials=6)), []) for _ in range(2))
    assert once.metrics["sorn"].trials == 6
    assert (once.metrics["sorn"].first_hit == again.metrics["sorn"].first_hit).all()
    assert once.chance["rank-1"] == pytest.approx(1 / 5)
