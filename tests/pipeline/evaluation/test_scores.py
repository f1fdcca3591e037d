"""Scores: protocols choose their images, pictures show what was measured, parts are compared at the network's size."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.ground_truth import ExactMasks
from pipeline.datasets.manifest import Manifest, Protocol
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.evaluation import scores
from pipeline.features.store import Examples
from pipeline.runs.config import EvalConfig
from sorn import metrics
from sorn.features import FeatureBank
from sorn.sample import Sample, Status

ALL = Protocol("default", "All.")


def bank(split: str, n: int, seed: int, camid: int) -> FeatureBank:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((n, 4), (n, 3, 4))]
    visibility = rng.random((n, 3)).astype(np.float32)
    name = np.array([f"{split}/{'ab'[i % 2]}/{i}.jpg" for i in range(n)])
    return FeatureBank(*arrays, visibility, np.arange(n) % 5, np.full(n, camid), name)


QUERY, GALLERY = bank("query", 10, 0, 0), bank("gallery", 20, 1, 1)


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


def test_shown_lists_agree_with_the_measured_first_hit() -> None:
    result = scores.score(QUERY, GALLERY, ALL, EvalConfig(ranked_queries=4), QUERY.name)
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
    relevant = metrics.relevance(QUERY.pid, QUERY.camid, GALLERY.pid[:3], GALLERY.camid[:3])  # pids 0, 1, 2
    names, found = [name for name in QUERY.name if not name.endswith("/0.jpg")], some_metrics([0.5] * len(QUERY))

    def drawn(count: int, seed: int) -> list[int]:
        return scores.choose_shown(QUERY, relevant, found, names, count, seed)["random"]

    assert sorted(drawn(99, 0)) == [1, 2, 5, 6, 7]
    assert drawn(3, 0) == drawn(99, 0)[:3]
    assert any(drawn(99, seed) != drawn(99, 0) for seed in range(1, 5))


def test_best_and_worst_queries_are_those_of_the_highest_and_lowest_average_precision() -> None:
    relevant = metrics.relevance(QUERY.pid, QUERY.camid, GALLERY.pid[:3], GALLERY.camid[:3])
    ap = [0.9, 0.1, 0.5, math.nan, math.nan, 0.2, 1.0, 0.4, math.nan, math.nan]
    shown = scores.choose_shown(QUERY, relevant, some_metrics(ap), [], 4, seed=0)
    assert shown == {"random": [], "best": [6, 0], "worst": [1, 5]}


def test_sweep_holds_the_figures_of_every_threshold() -> None:
    config = EvalConfig(tau=0.3, tau_sweep=(0.0, 0.3, 0.9))
    result = scores.score(QUERY, GALLERY, ALL, config, [])
    assert list(result.sweep) == [0.0, 0.3, 0.9]
    assert result.sweep[0.3].figures() == result.metrics["sorn"].figures()
    alone = scores.score(QUERY, GALLERY, ALL, EvalConfig(tau=0.9, tau_sweep=()), [])
    assert alone.metrics["sorn"].figures() == result.sweep[0.9].figures() and alone.sweep == {}


def test_reranking_is_a_variant_of_its_own() -> None:
    result = scores.score(QUERY, GALLERY, ALL, EvalConfig(rerank=True, rerank_k1=4, rerank_k2=2), [])
    assert list(result.metrics) == ["global", "global+local", "sorn", "sorn+rerank"]
    assert result.metrics["sorn+rerank"].queries == result.metrics["sorn"].queries


def test_single_shot_protocol_is_drawn_and_seeded() -> None:
    once, again = (
        scores.score(QUERY, GALLERY, dataclasses.replace(ALL, shots=1, trials=6), EvalConfig(), []) for _ in range(2)
    )
    assert once.metrics["sorn"].trials == 6
    assert (once.metrics["sorn"].first_hit == again.metrics["sorn"].first_hit).all()
    assert once.chance["rank-1"] == pytest.approx(1 / 5)


def labelled(status: Status) -> Sample:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 3  # upper half: upper arm, "arm" of five classes
    return Sample(np.zeros((8, 8, 3), np.uint8), mask, 1, 1, "query/0.jpg", status)


def reference(tmp_path: Path, status: Status, labels: int) -> scores.PartReference:
    """The image query/0.jpg, of 8x8 pixels, in a dataset without exact masks as long as nobody writes any."""
    record = ImageRecord("query/0.jpg", tmp_path / "0.jpg", 1, 1, "query")
    exact = ExactMasks(Manifest("mine", "Mine"), tmp_path, [(record, ImageFile(1, 1, "s", 8, 8))])
    return scores.PartReference(lambda name: labelled(status), exact, "danet", labels)


def test_part_scores_by_hand(tmp_path: Path) -> None:
    predicted = np.array([[3, 3], [3, 0]], np.uint8)
    examples = Examples(np.array(["query/0.jpg", "query/1.jpg"]), np.zeros((2, 0, 2, 2)), np.stack([predicted] * 2))
    found = scores.part_scores(examples, reference(tmp_path, Status.OK, 5), ["query/0.jpg"])
    assert found is not None and found["images"] == 1 and found["against"] == {"the labels of danet": 1}
    assert found["pixel_accuracy"] == 3 / 4
    assert found["iou"] == {"background": 1 / 2, "head": None, "torso": None, "arm": pytest.approx(2 / 3), "leg": None}
    assert found["mIoU"] == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("status", [Status.UNLABELED, Status.EMPTY, Status.UNREADABLE])
def test_images_without_labels_are_not_scored(tmp_path: Path, status: Status) -> None:
    examples = Examples(np.array(["query/0.jpg"]), np.zeros((1, 0, 2, 2)), np.zeros((1, 2, 2), np.uint8))
    assert scores.part_scores(examples, reference(tmp_path, status, 8), ["query/0.jpg"]) is None


@pytest.mark.parametrize("status", [Status.OK, Status.UNLABELED])
def test_an_exact_mask_is_the_reference_where_there_is_one(tmp_path: Path, status: Status) -> None:
    exact = np.zeros((8, 8), np.uint8)
    exact[:, :4] = 7  # left half: foot, "leg" of five classes
    (tmp_path / "masks" / "query").mkdir(parents=True)
    Image.fromarray(exact).save(tmp_path / "masks" / "query" / "0.png")
    predicted = np.array([[4, 3], [4, 0]], np.uint8)
    examples = Examples(np.array(["query/0.jpg"]), np.zeros((1, 0, 2, 2)), predicted[None])
    found = scores.part_scores(examples, reference(tmp_path, status, 5), ["query/0.jpg"])
    assert found is not None and found["against"] == {"exact masks": 1}
    assert found["iou"] == {"background": 1 / 2, "head": None, "torso": None, "arm": 0, "leg": 1}
