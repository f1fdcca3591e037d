"""Counts and ranks in rows longer than the kernels take at a time, against a stable sort."""

from __future__ import annotations

import numpy as np
import pytest

from sorn.metrics import match_ranks
from sorn.rank_kernels import BLOCK, count_beyond

IMAGES = 2 * BLOCK + 904


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [7, 10**9])
def test_ranks_are_those_of_a_stable_sort(kind: type, levels: int) -> None:
    rng = np.random.default_rng(levels)
    similarity = (rng.integers(0, levels, (40, IMAGES)) / levels).astype(kind)
    similarity.flags.writeable = False
    drawn = [rng.permutation(IMAGES)[: rng.integers(0, 9)] for _ in similarity]
    matches, dropped = [np.sort(one[:5]) for one in drawn], [np.sort(one[5:]) for one in drawn]
    found = match_ranks(similarity, matches, dropped)
    for row, own, out, ranks in zip(similarity, matches, dropped, found, strict=True):
        order = np.argsort(-row, kind="stable")
        order = order[~np.isin(order, out)]
        assert ranks.tolist() == [int(np.flatnonzero(order == one)[0]) + 1 for one in own]


def test_nobody_asks() -> None:
    assert match_ranks(np.empty((0, 5), np.float32), [], []) == []


def test_a_row_that_is_not_finite_is_named() -> None:
    similarity = np.zeros((40, IMAGES), np.float32)
    similarity[[31, 33], -1] = np.nan, np.inf
    with pytest.raises(ValueError, match="query 131 are not finite"):
        match_ranks(similarity, [np.array([0])] * 40, [np.empty(0, np.int64)] * 40, first=100)


def test_counts_at_and_above() -> None:
    rng = np.random.default_rng(0)
    row = (rng.integers(0, 50, IMAGES) / 50).astype(np.float32)
    low, high = np.sort(row[:9]), np.sort(row[:9]) + np.float32(0.02)
    at_least, above = np.full((2, 9), 3)
    count_beyond(row, low, high, at_least, above)
    assert at_least.tolist() == [3 + int((row >= value).sum()) for value in low]
    assert above.tolist() == [3 + int((row > value).sum()) for value in high]
