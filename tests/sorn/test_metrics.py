"""Metrics: hand-made cases, a slow obvious reference on random data, mean IoU."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sorn import metrics
from sorn.metrics import Metrics, Relevance
from sorn.single_shot import SingleShotEvaluation


def case(similarity: list[list[float]], query: str, gallery: str) -> tuple[list[tuple[slice, np.ndarray]], Relevance]:
    """Similarities and images written as "person/camera": case([[0.9, 0.1]], "1/1", "1/2 2/2")."""
    q_pid, q_cam = np.array([image.split("/") for image in query.split()], dtype=np.int64).T
    g_pid, g_cam = np.array([image.split("/") for image in gallery.split()], dtype=np.int64).T
    block = np.array(similarity, dtype=np.float32)
    return [(slice(0, len(block)), block)], metrics.relevance(q_pid, q_cam, g_pid, g_cam)


def evaluate(similarity: list[list[float]], query: str, gallery: str, formula: str = "standard") -> Metrics:
    return metrics.evaluate(*case(similarity, query, gallery), formula)


def single_shot(blocks: list[tuple[slice, np.ndarray]], relevant: Relevance, trials: int, seed: int) -> Metrics:
    evaluation = SingleShotEvaluation(relevant, trials, seed)
    for rows, similarity in blocks:
        evaluation.add(rows, similarity)
    return evaluation.metrics()


def test_perfect_ranking_is_one() -> None:
    result = evaluate([[0.9, 0.8, 0.1, 0.2]], "1/1", "1/2 1/3 2/2 3/2")
    assert (result.rank(1), result.mean_ap, result.mean_inp) == (1, 1, 1)
    assert evaluate([[0.9, 0.8, 0.1, 0.2]], "1/1", "1/2 1/3 2/2 3/2", "trapezoid").mean_ap == 1


def test_only_match_at_rank_2() -> None:
    result = evaluate([[0.5, 0.9, 0.1]], "1/1", "1/2 2/2 3/2")
    assert (result.rank(1), result.rank(5), result.mean_ap, result.mean_inp) == (0, 1, 0.5, 0.5)
    assert result.cmc(3).tolist() == [0, 1, 1]


def test_hits_at_ranks_1_and_4_by_hand() -> None:
    similarity = [[0.9, 0.8, 0.7, 0.6]]
    standard = evaluate(similarity, "1/1", "1/2 2/2 3/2 1/3")
    assert standard.mean_ap == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert standard.mean_inp == pytest.approx(2 / 4)
    trapezoid = evaluate(similarity, "1/1", "1/2 2/2 3/2 1/3", "trapezoid")
    assert trapezoid.mean_ap == pytest.approx(((1 + 1) / 2 + (1 / 3 + 2 / 4) / 2) / 2)


def test_trapezoid_with_the_only_match_at_rank_2() -> None:
    assert evaluate([[0.5, 0.9, 0.1]], "1/1", "1/2 2/2 3/2", "trapezoid").mean_ap == pytest.approx((0 / 1 + 1 / 2) / 2)


def test_same_person_by_the_same_camera_is_neither_hit_nor_obstacle() -> None:
    result = evaluate([[1.0, 0.9, 0.5]], "1/1", "1/1 2/1 1/2")
    assert (result.rank(1), result.mean_ap) == (0, 0.5)
    result = evaluate([[1.0, 0.4, 0.5]], "1/1", "1/1 2/1 1/2")
    assert (result.rank(1), result.mean_ap) == (1, 1)


def test_query_without_match_is_skipped_and_counted() -> None:
    result = evaluate([[0.9, 0.1, 0.2], [0.9, 0.1, 0.2], [0.1, 0.9, 0.2]], "1/1 7/1 2/2", "1/2 2/2 3/2")
    assert (result.queries, result.skipped) == (1, 2)
    assert (result.rank(1), result.mean_ap) == (1, 1)
    assert result.first_hit.tolist() == [[1, 0, 0]]
    assert result.figures()["skipped_queries"] == 2


def test_nothing_to_evaluate_is_nan_not_an_error() -> None:
    result = evaluate([[0.9, 0.1]], "7/1", "1/2 2/2")
    assert result.queries == 0 and math.isnan(result.mean_ap) and math.isnan(result.rank(1))


def test_ties_rank_in_gallery_order() -> None:
    assert evaluate([[0.5, 0.5, 0.5]], "1/1", "1/2 2/2 3/2").rank(1) == 1
    assert evaluate([[0.5, 0.5, 0.5]], "1/1", "2/2 3/2 1/2").first_hit.tolist() == [[3]]
    assert evaluate([[0.5, 0.5, 0.5]], "1/1", "1/1 3/2 1/2").first_hit.tolist() == [[2]]


def reference(
    similarity: np.ndarray, query: list[tuple[int, int]], gallery: list[tuple[int, int]], formula: str
) -> tuple[list[int], list[float], list[float]]:
    """First-hit rank, AP and INP per query (0, nan, nan where skipped): sort the whole list, then walk down it."""
    firsts, precisions, inverses = [], [], []
    for row, (pid, camid) in zip(similarity.tolist(), query, strict=True):
        kept = [(-s, i) for i, s in enumerate(row) if gallery[i] != (pid, camid)]
        hits, first, last, total = 0, 0, 0, 0.0
        previous = 1.0
        for rank, (_, i) in enumerate(sorted(kept), start=1):
            if gallery[i][0] == pid:
                hits += 1
                first, last = first or rank, rank
                total += hits / rank if formula == "standard" else (previous + hits / rank) / 2
            previous = hits / rank
        firsts.append(first)
        precisions.append(total / hits if hits else math.nan)
        inverses.append(hits / last if hits else math.nan)
    return firsts, precisions, inverses


@pytest.mark.parametrize("formula", ["standard", "trapezoid"])
@pytest.mark.parametrize("levels", [7, 10**6])
def test_agrees_with_the_reference_on_random_data(formula: str, levels: int) -> None:
    """Same-camera copies, distractors (pid 0, never asked for), skipped queries, and with 7 levels many ties."""
    rng = np.random.default_rng(levels)
    query = [(int(rng.integers(1, 20)), int(rng.integers(1, 4))) for _ in range(60)]
    gallery = [(int(rng.integers(0, 15)), int(rng.integers(1, 4))) for _ in range(150)] + query[:5]
    similarity = (rng.integers(0, levels, (len(query), len(gallery))) / levels).astype(np.float32)
    q, g = np.array(query), np.array(gallery)
    relevant = metrics.relevance(q[:, 0], q[:, 1], g[:, 0], g[:, 1])
    blocks = [(slice(start, min(start + 17, 60)), similarity[start : start + 17]) for start in range(0, 60, 17)]
    result = metrics.evaluate(blocks, relevant, formula)
    firsts, precisions, inverses = reference(similarity, query, gallery, formula)
    assert 0 < result.skipped < 60 and result.skipped == firsts.count(0)
    assert result.first_hit[0].tolist() == firsts
    np.testing.assert_allclose(result.ap[0], precisions, rtol=1e-12)
    np.testing.assert_allclose(result.inp[0], inverses, rtol=1e-12)
    assert result.mean_ap == pytest.approx(np.nanmean(precisions))
    assert result.rank(5) == pytest.approx(np.mean([f <= 5 for f in firsts if f]))


def test_blocks_must_cover_every_query_once() -> None:
    blocks, relevant = case([[0.5, 0.5], [0.5, 0.5]], "1/1 2/1", "1/2 2/2")
    block = blocks[0][1]
    with pytest.raises(ValueError, match="of 1 queries, expected 2"):
        metrics.evaluate([(slice(0, 1), block[:1])], relevant)
    with pytest.raises(ValueError, match="expected query 0"):
        metrics.evaluate([(slice(1, 2), block[:1])], relevant)
    with pytest.raises(ValueError, match="not finite"):
        metrics.evaluate([(slice(0, 2), block * np.nan)], relevant)


def test_input_is_left_alone() -> None:
    blocks, relevant = case([[1.0, 0.9, 0.5]], "1/1", "1/1 2/1 1/2")
    before = blocks[0][1].copy()
    metrics.evaluate(blocks, relevant)
    assert (blocks[0][1] == before).all()


def test_ranked_list_shows_what_the_metric_counts() -> None:
    blocks, relevant = case([[1.0, 0.5, 0.5, 0.9, 0.2]], "1/1", "1/1 2/1 1/2 3/1 4/1")
    shown = metrics.ranking(blocks[0][1][0], relevant, 0, 10)
    assert shown.tolist() == [3, 1, 2, 4]
    assert shown.tolist().index(2) + 1 == metrics.evaluate(blocks, relevant).first_hit[0, 0]
    assert metrics.ranking(blocks[0][1][0], relevant, 0, 2).tolist() == [3, 1]


def test_single_shot_with_one_image_per_person_is_the_usual_evaluation() -> None:
    blocks, relevant = case([[0.5, 0.9, 0.1], [0.3, 0.2, 0.1]], "1/1 2/1", "1/2 2/2 3/2")
    usual, drawn = metrics.evaluate(blocks, relevant), single_shot(blocks, relevant, 5, seed=0)
    assert drawn.first_hit.tolist() == usual.first_hit.tolist() * 5
    assert drawn.spread("rank-1") == 0 and drawn.mean_ap == usual.mean_ap


def test_single_shot_draws_one_image_per_person() -> None:
    """Person 1 has a good image (beats 2) and a bad one (does not): rank-1 is the share of draws with the good one."""
    blocks, relevant = case([[0.9, 0.1, 0.5]], "1/1", "1/2 1/3 2/2")
    result = single_shot(blocks, relevant, 2000, seed=1)
    assert set(result.first_hit[:, 0].tolist()) == {1, 2}
    assert result.rank(1) == pytest.approx(0.5, abs=0.05)
    assert result.mean_ap == pytest.approx(result.rank(1) + 0.5 * (1 - result.rank(1)))
    p = result.rank(1)
    assert result.spread("rank-1") == pytest.approx(math.sqrt(p * (1 - p) * 2000 / 1999))


def test_single_shot_is_seeded_and_never_shows_a_dropped_image() -> None:
    blocks, relevant = case([[0.9, 0.1, 0.5]], "1/1", "1/1 1/3 2/2")
    result = single_shot(blocks, relevant, 50, seed=1)
    assert (result.first_hit == 2).all()
    rng = np.random.default_rng(0)
    pid, cam = rng.integers(1, 6, 40), rng.integers(1, 3, 40)
    blocks = [(slice(0, 40), rng.random((40, 40), dtype=np.float32))]
    relevant = metrics.relevance(pid, cam, pid, cam)
    first, again, other = (single_shot(blocks, relevant, 9, seed) for seed in (3, 3, 4))
    assert (first.first_hit == again.first_hit).all() and (first.first_hit != other.first_hit).any()
    assert first.figures().keys() >= {"rank-1-sd", "rank-3", "mAP-sd"}


def test_mean_iou_by_hand() -> None:
    label = np.array([[0, 0, 1, 1]], dtype=np.uint8)
    predicted = np.array([[0, 1, 1, 1]], dtype=np.uint8)
    counts = metrics.confusion(predicted, label, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    iou = metrics.class_iou(counts)
    assert iou[:2].tolist() == pytest.approx([1 / 2, 2 / 3]) and math.isnan(iou[2])
    assert metrics.mean_iou(counts) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics.pixel_accuracy(counts) == 3 / 4


def test_confusion_refuses_what_it_cannot_count() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.confusion(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 2)
    with pytest.raises(ValueError, match="not below 2"):
        metrics.confusion(np.full((2, 2), 5, np.uint8), np.zeros((2, 2), np.uint8), 2)
