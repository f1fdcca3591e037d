"""Intervals of error rates over persons: where draws hold no pair, there is none, and none leaves [0, 1]."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.person_intervals import measured_rates, query_rate
from sorn.error_rates import EqualError


def tally(same: list[int], different: list[int]) -> Any:
    """Pairs of each person, of one kind; a threshold that half of them fail."""
    columns = [np.array(values)[:, None] for values in (same, different)]
    errors = [(values // 2)[None] for values in columns]
    return SimpleNamespace(
        thresholds=np.zeros((1, 1)), same=columns[0], different=columns[1], missed=errors[0], wrong=errors[1]
    )


def test_one_kind_of_pairs_alone_gives_the_equal_error_no_interval() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured_rates(tally([4, 4], [0, 0]), EqualError(0.2, 0.5, (1.0, 1.0)))
    assert (found.equal_error.value, found.equal_error.low, found.equal_error.high) == (0.2, None, None)
    assert found.all[0][0].value is None and found.all[0][1].value == 0.5


def test_draws_without_a_pair_are_left_out() -> None:
    found = measured_rates(tally([4, 0, 2], [8, 0, 6]), EqualError(0.2, 0.5, (1.0, 1.0)))
    low, high = found.equal_error.low, found.equal_error.high
    assert low is not None and high is not None and 0 <= low <= 0.2 <= high < 1


@pytest.mark.parametrize(("hit", "expected"), [([True, False, True, False], 0.5), ([True] * 4, 1.0)])
def test_the_share_of_queries_lies_in_its_interval(hit: list[bool], expected: float) -> None:
    found = query_rate(np.array(hit), np.ones(4, bool), np.array([1, 1, 2, 3]))
    assert found.value == expected
    assert expected == 1 or (found.low is not None and found.high is not None and found.low <= 0.5 <= found.high)
