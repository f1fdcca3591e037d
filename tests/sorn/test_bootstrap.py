"""The paired bootstrap: every value a draw can take by hand, whole persons, a seed that repeats."""

from __future__ import annotations

import numpy as np
import pytest

from sorn import bootstrap
from sorn.bootstrap import paired_difference, resampled_means


def test_every_value_by_hand() -> None:
    # Person 1 has one query (1), person 2 three (0): drawn twice 1 -> 1; once each -> 1/4; twice 2 -> 0.
    means = resampled_means(np.array([0.0, 1.0, 0.0, 0.0]), np.array([2, 1, 2, 2]), 20_000, 0)
    values, counts = np.unique(means, return_counts=True)
    assert values.tolist() == [0.0, 0.25, 1.0]
    assert counts / 20_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.015)  # five standard errors


def test_value_and_interval() -> None:
    found = paired_difference(np.zeros(4), np.array([0.0, 1.0, 0.0, 0.0]), np.array([2, 1, 2, 2]))
    assert (found.value, found.low, found.high) == (0.25, 0.0, 1.0) and not found.excludes_zero


def test_equal_differences_leave_no_width() -> None:
    a = np.random.default_rng(0).integers(4, size=50) / 8
    found = paired_difference(a, a + 0.25, np.arange(50) // 3)
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25) and found.excludes_zero


def test_matches_the_normal_interval_where_queries_are_independent() -> None:
    rng = np.random.default_rng(1)
    difference = rng.normal(0.1, 1, 2000)
    found = paired_difference(np.zeros(2000), difference, np.arange(2000))
    half = 1.96 * difference.std() / np.sqrt(2000)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), abs=0.05 * half)


def test_queries_that_fail_together_make_it_wider() -> None:
    # Ten queries per person, all alike: as wide as with one query per person, not sqrt(10) times narrower.
    one = np.random.default_rng(2).normal(0, 1, 100)
    single = paired_difference(np.zeros(100), one, np.arange(100))
    tenfold = paired_difference(np.zeros(1000), one.repeat(10), np.arange(100).repeat(10))
    assert (tenfold.low, tenfold.high) == pytest.approx((single.low, single.high))
    alone = paired_difference(np.zeros(1000), one.repeat(10), np.arange(1000))
    assert alone.high - alone.low < 0.4 * (tenfold.high - tenfold.low)


def test_a_seed_repeats_and_another_does_not() -> None:
    values, person = np.random.default_rng(3).random(40), np.arange(40) // 2
    first, again, other = (resampled_means(values, person, 1200, seed) for seed in (0, 0, 1))
    assert len(first) == 1200 and first.tolist() == again.tolist() and first.tolist() != other.tolist()


def test_one_person_has_no_interval() -> None:
    with pytest.raises(ValueError, match="1 person: an interval over persons needs at least two"):
        paired_difference(np.zeros(3), np.ones(3), np.array([7, 7, 7]))


def test_sums_of_many_persons_are_drawn_in_smaller_pieces_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(0).integers(0, 1000, (40, 3))
    whole = bootstrap.resampled_sums(counts, draws=30)
    monkeypatch.setattr(bootstrap, "MOST", 40 * 7)
    assert np.array_equal(bootstrap.resampled_sums(counts, draws=30), whole)
    assert whole.shape == (30, 3) and abs(whole.mean(axis=0) / counts.sum(axis=0) - 1).max() < 0.2
