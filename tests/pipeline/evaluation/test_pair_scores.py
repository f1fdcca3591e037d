"""Certainty of similarities: rates as counted by hand, thresholds from elsewhere, intervals as wide as they must be."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.pair_scores import PairTask, certainty, count_pairs
from pipeline.evaluation.person_intervals import measured_rates, query_rate
from pipeline.runs.config import EvalConfig
from sorn.error_rates import EqualError
from sorn.features import FeatureBank
from sorn.matching import similarity_blocks
from sorn.metrics import relevance
from sorn.pairs import PersonTally, compared, in_common
from sorn.rules import Rule
from sorn.walk import walk

OPTIONS = EvalConfig(tau=0.4)


def bank(persons: int, images: int, seed: int, camera: int, first: int = 0) -> FeatureBank:
    """Images of persons, each with some features of its own."""
    rng = np.random.default_rng(seed)
    pid = first + np.arange(persons * images) % persons
    own = np.random.default_rng(first).normal(size=(persons, 16 + 3 * 8))[pid - first]
    values = (own + rng.normal(size=own.shape) * 1.3).astype(np.float32)
    shown = rng.random((len(pid), 3)).astype(np.float32)
    local = values[:, 16:].reshape(-1, 3, 8)
    return FeatureBank(values[:, :16], local, shown, pid, camera + pid % 2, np.arange(len(pid)).astype(str))


def task(split: str = "test", first: int = 0, persons: int = 30) -> PairTask:
    seed = first + len(split)
    query, gallery = bank(persons, 2, seed, 0, first), bank(persons, 4, seed + 1, 1, first)
    return PairTask(query, gallery, "mine", split, OPTIONS)


def test_rates_at_thresholds_of_val_are_those_of_a_loop_over_the_tests_pairs():
    test, val = task(), task("val", first=100, persons=40)
    chosen = count_pairs(val).calibration("c")
    found = certainty(count_pairs(test), [chosen])
    assert {row.chosen_on for row in found.thresholds} == {"mine, split val"} and found.here == "mine, split test"
    ((_, (similarity,)),) = similarity_blocks(test.query, test.gallery, [Rule("sorn", 0.4)])
    common = in_common(*(compared(Rule("sorn", 0.4), one) for one in (test.query, test.gallery)))
    same = test.query.pid[:, None] == test.gallery.pid
    pair = ~(same & (test.query.camid[:, None] == test.gallery.camid))
    for row in found.thresholds:
        limits = chosen.rules["sorn"].thresholds(row.rate) if row.threshold is None else (row.threshold,) * 4
        reached = similarity >= np.array(limits)[common]
        assert row.false_match.value == pytest.approx(reached[pair & ~same].mean())
        assert row.false_non_match.value == pytest.approx(1 - reached[pair & same].mean())
        assert row.false_match.low < row.false_match.value < row.false_match.high
    assert (found.same, found.different) == ((pair & same).sum(), (pair & ~same).sum())
    assert sum(found.histogram.same) == found.same and sum(found.histogram.different) == found.different
    assert sum(row.same for row in found.by_common) == found.same
    assert found.equal_error.low < found.equal_error.value < found.equal_error.high


def test_own_thresholds_have_the_rate_that_was_asked_for():
    own = count_pairs(task())
    for row in certainty(own, [own.calibration("c")]).thresholds:
        assert 0.9 * row.rate < row.false_match.value <= row.rate


def test_an_interval_is_as_wide_as_rates_of_other_persons_scatter():
    """Over 200 sets of 40 persons each, at one threshold.

    Where pairs differ more than persons do, as here, it is some 40 % wider at most, as the jackknife's.
    """
    rates, widths = [], []
    for number in range(200):
        drawn = task(first=1000 * number, persons=40)
        limits = np.full((1, 4), 0.2)
        tally = PersonTally(drawn.rules["sorn"], drawn.query, drawn.gallery, drawn.relevant, limits)
        assert sum(walk(drawn.query, drawn.gallery, [tally], drawn.relevant)) == len(drawn.query)
        rates.append(tally.wrong.sum() / tally.different.sum())
        if number < 8:
            found = measured_rates(tally, EqualError(0.1, 0.2, (1, 1))).all[0][0]
            assert found.value == pytest.approx(rates[-1])
            widths.append(found.high - found.low)
    assert 0.9 < np.mean(widths) / (2 * 1.96 * np.std(rates)) < 1.5


def test_a_share_of_queries_has_an_interval_over_persons():
    rng = np.random.default_rng(0)
    hit, pid = rng.random(200) < 0.3, np.repeat(np.arange(50), 4)
    found = query_rate(hit, np.ones(200, bool), pid)
    assert found.value == hit.mean() and found.low < found.value < found.high
    same = query_rate(np.repeat(rng.random(50) < 0.3, 4), np.ones(200, bool), pid)  # queries of a person fail together
    assert same.high - same.low > 1.5 * (found.high - found.low)
    nothing = query_rate(hit, np.zeros(200, bool), pid)
    assert nothing.value is nothing.low is None


@pytest.mark.parametrize(
    ("query", "gallery", "why"),
    [
        (bank(1, 3, 0, 0), bank(1, 4, 1, 1), "mine, split test has pairs of one person only"),
        (bank(4, 3, 0, 0), bank(4, 4, 1, 1, first=50), "mine, split test has no pair of the same person under two"),
    ],
)
def test_pairs_that_tell_no_rates_are_told(query, gallery, why):
    assert PairTask(query, gallery, "mine", "test", OPTIONS).wrong().startswith(why)
    assert task().wrong() == ""


def test_open_set_figures_are_those_of_the_queries():
    test = task(persons=60)
    own = count_pairs(test)
    found = certainty(own, [own.calibration("c")])
    ((_, (similarity,)),) = similarity_blocks(test.query, test.gallery, [Rule("sorn", 0.4)])
    relevant = relevance(test.query.pid, test.query.camid, test.gallery.pid, test.gallery.camid)
    for row in found.open_set:
        taken, right = 0, 0
        for q, values in enumerate(similarity):
            kept = np.ones(len(values), bool)
            kept[relevant.dropped[q]] = False
            others = np.where(kept & (test.gallery.pid != test.query.pid[q]), values, -2)
            taken += others.max() >= row.threshold
            best = np.where(kept, values, -2).argmax()
            right += test.gallery.pid[best] == test.query.pid[q] and values[best] >= row.threshold
        assert row.false_positive.value == pytest.approx(taken / len(similarity))
        assert row.true_positive.value == pytest.approx(right / relevant.usable.sum())
    assert [row.rate for row in found.open_set] == [0.1]  # fewer than ten queries would stand for lower rates
