"""The chance level against simulation and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sorn import metrics
from sorn.chance import chance, chance_cmc
from sorn.metrics import Relevance


def relevance(query: str, gallery: str) -> Relevance:
    """Images written as "person/camera": relevance("1/1", "1/2 2/2")."""
    q_pid, q_cam = np.array([image.split("/") for image in query.split()], dtype=np.int64).T
    g_pid, g_cam = np.array([image.split("/") for image in gallery.split()], dtype=np.int64).T
    return metrics.relevance(q_pid, q_cam, g_pid, g_cam)


@pytest.mark.parametrize("formula", ["standard", "trapezoid"])
def test_chance_level_is_the_mean_of_random_rankings(formula: str) -> None:
    """Two queries of different size: m = 2 among n = 8 (one image dropped), and m = 1 among n = 9."""
    query, gallery = "1/1 2/1", "1/1 1/2 1/3 2/2 3/1 3/2 4/1 5/1 6/1"
    relevant = relevance(query, gallery)
    rng = np.random.default_rng(0)
    runs = [metrics.evaluate([(slice(0, 2), rng.random((2, 9)))], relevant, formula).figures() for _ in range(4000)]
    expected = chance(relevant, formula)
    assert expected["rank-1"] == pytest.approx((2 / 8 + 1 / 9) / 2)
    assert expected["rank-10"] == 1
    for name in expected:
        assert np.mean([run[name] for run in runs]) == pytest.approx(expected[name], abs=0.015), name


def test_chance_level_by_hand() -> None:
    """m = 1: E[AP] = H_n / n. All images match: certain."""
    relevant = relevance("1/1", "1/2 2/2 3/2 4/2")
    assert chance(relevant)["mAP"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert chance(relevant)["mINP"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    relevant = relevance("1/1", "1/2 1/3 1/4")
    assert chance(relevant)["mAP"] == pytest.approx(1) and chance(relevant)["rank-1"] == 1


def test_chance_level_of_single_shot_counts_persons() -> None:
    relevant = relevance("1/1", "1/2 1/3 1/4 2/2 3/2 3/3")
    assert chance(relevant, single_shot=True)["rank-1"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("single_shot", [False, True])
def test_chance_curve_begins_with_the_chance_figures(single_shot: bool) -> None:
    relevant = relevance("1/1 2/1 9/1", "1/1 1/2 2/2 2/3 3/1 4/1")
    curve, figures = chance_cmc(relevant, single_shot, 8), chance(relevant, single_shot=single_shot)
    assert [curve[k - 1] for k in (1, 3, 5)] == pytest.approx([figures[f"rank-{k}"] for k in (1, 3, 5)])
    assert (np.diff(curve) >= 0).all() and curve[-1] == 1
