"""Error rates: those of counting every pair, ties included, and thresholds that are the lowest possible."""

from __future__ import annotations

import numpy as np
import pytest

from sorn.error_rates import BINS, STEPS, OpenSet, PairCounts, bins, edge


def tied(count: int, seed: int, mean: float) -> np.ndarray:
    """Similarities with many ties, some of them at the ends."""
    drawn = np.random.default_rng(seed).normal(mean, 0.3, count)
    return np.clip(np.round(drawn * 16) / 16, -1, 1).astype(np.float32)


def counts(same: np.ndarray, different: np.ndarray) -> PairCounts:
    return PairCounts(*(np.bincount(bins(values), minlength=BINS) for values in (same, different)))


def test_bins_have_exact_edges():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-1, 1, 20_000), np.arange(-64, 65) / 64]).astype(np.float32)
    values = np.concatenate([values, np.nextafter(values, -2, dtype=np.float32).clip(-1)])
    found = bins(values)
    assert found.min() >= 0 and found.max() == BINS - 1 == 2 * STEPS
    lowest = np.array([edge(int(one)) for one in found])
    assert (lowest <= values).all() and (values.astype(np.float64) < lowest + 1 / STEPS).all()


@pytest.mark.parametrize("step", [1, 7])
def test_rates_are_those_of_counting_every_pair(step):
    same, different = tied(300, 0, 0.4), tied(900, 1, 0.0)
    found = counts(same, different)
    for threshold in (np.arange(-STEPS, STEPS + 1, 512 * step) / STEPS).tolist():
        wrong = sum(value >= threshold for value in different) / len(different)
        missed = sum(value < threshold for value in same) / len(same)
        assert found.at(threshold) == pytest.approx((wrong, missed), abs=1e-15)
    assert found.at(1.5) == (0, 1) and found.at(-2) == (1, 0)


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01, 0.0])
def test_a_threshold_is_the_lowest_with_its_rate(rate):
    same, different = tied(300, 2, 0.4), tied(900, 3, 0.0)
    threshold = counts(same, different).threshold(rate)
    assert (different >= threshold).mean() <= rate
    assert (different >= threshold - 1 / STEPS).mean() > rate


def test_more_pairs_of_the_largest_similarity_than_allowed_leave_no_threshold():
    found = counts(np.ones(3, np.float32), np.ones(50, np.float32))
    assert found.threshold(0.5) > 1
    assert found.table() == []


def test_the_equal_error_rate_is_where_both_rates_meet():
    rng = np.random.default_rng(4)
    same = np.clip(rng.normal(0.5, 0.2, 200_000), -1, 1).astype(np.float32)
    different = np.clip(rng.normal(0.1, 0.2, 200_000), -1, 1).astype(np.float32)
    found = counts(same, different).equal_error()
    assert found.rate == pytest.approx(0.158655, abs=2e-3)  # of a normal distribution beyond one deviation
    assert found.threshold == pytest.approx(0.3, abs=5e-3)
    assert found.slopes == pytest.approx((1.2099, 1.2099), rel=0.05)  # its density there, 0.24197 / 0.2


def test_a_table_tells_no_rate_that_fewer_than_ten_pairs_stand_for():
    rng = np.random.default_rng(5)
    found = counts(tied(50, 6, 0.5), rng.uniform(-1, 0.9, 1000).astype(np.float32)).table()
    rates, thresholds, missed = zip(*found, strict=True)
    assert rates[0] == 0.7 and rates[-1] == 0.01 and 0.01 in rates
    assert list(thresholds) == sorted(thresholds) and list(missed) == sorted(missed)


def test_quantiles_are_similarities_that_a_share_stays_below():
    values = np.linspace(-1, 1, 1001).astype(np.float32)
    found = counts(values, values)
    for share in (0.1, 0.5, 0.9):
        assert found.quantile(True, share) == pytest.approx(np.quantile(values, share), abs=3e-3)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.25, 0.5, 1.0])
def test_open_set_rates_are_those_of_a_double_loop(threshold):
    rng = np.random.default_rng(7)
    similarity, person = np.round(rng.normal(0.2, 0.3, (40, 60)) * 8) / 8, rng.integers(0, 12, 60)
    similarity = np.clip(similarity, -1, 1).astype(np.float32)
    asked = rng.integers(0, 15, 40)  # some are nowhere in the gallery
    match, other, first = np.full(40, -np.inf, np.float32), np.full(40, -np.inf, np.float32), np.zeros(40, bool)
    for q in range(40):
        for g in range(60):
            held = match if person[g] == asked[q] else other
            held[q] = max(held[q], similarity[q, g])
        first[q] = person[similarity[q].argmax()] == asked[q]
    found = OpenSet(match, other, first)
    right, present, wrong = 0, 0, 0
    for q in range(40):
        order = sorted(range(60), key=lambda g: (-similarity[q, g], g))
        present += asked[q] in person
        right += person[order[0]] == asked[q] and similarity[q, order[0]] >= threshold
        others = [g for g in order if person[g] != asked[q]]
        wrong += similarity[q, others[0]] >= threshold
    assert found.present.sum() == present < 40
    assert (found.found(threshold).sum(), found.taken(threshold).sum()) == (right, wrong)
    for rate in (0.5, 0.1):
        limit = found.threshold(rate)
        assert found.taken(limit).mean() <= rate < found.taken(limit - 1 / STEPS).mean()
