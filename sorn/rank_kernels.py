"""Kernels over rows of similarities: ranks of matches, and counts around them."""

from __future__ import annotations

import numpy as np

from sorn.compiled import compiled

BLOCK = 2048
# Similarities that are compared with every match in turn, in a core's cache. Counts of 32 bits are taken with twice as
# many values at a time as those of 64.


@compiled(*(f"i8({kind}[:, ::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8, i8)" for kind in ("f4", "f8")))
def match_ranks(similarity, matches, starts, dropped, ends, ranks, first, last):  # type: ignore[no-untyped-def]
    """Ranks of the matches of the queries `first` to `last`, from 1.

    Returns the number of the first row that is not finite, or -1. similarity: [b, Ng]. matches, dropped: positions of
    all queries one after the other, int64; those of query i are starts[i] to starts[i + 1], and ends[i] to ends[i + 1].
    Written to `ranks`, in the order of the matches. An image is before a match if it is more similar, or as similar and
    earlier in the gallery.
    """
    width = similarity.shape[1]
    for i in range(first, last):
        row = similarity[i]
        finite = np.int32(0)
        for j in range(width):
            finite = np.int32(finite + (abs(row[j]) < np.inf))
        if finite < width:
            return i
        for k in range(starts[i], starts[i + 1]):
            ranks[k] = 1
        for left in range(0, width, BLOCK):
            right = min(left + BLOCK, width)
            for k in range(starts[i], starts[i + 1]):
                place = matches[k]
                value = row[place]
                middle = min(max(place, left), right)
                before, after, ahead = row[left:middle], row[middle:right], np.int32(0)
                for j in range(len(before)):
                    ahead = np.int32(ahead + (before[j] >= value))
                for j in range(len(after)):
                    ahead = np.int32(ahead + (after[j] > value))
                ranks[k] += ahead
        for d in range(ends[i], ends[i + 1]):
            place = dropped[d]
            value = row[place]
            for k in range(starts[i], starts[i + 1]):
                other = row[matches[k]]
                if value > other or (value == other and place < matches[k]):
                    ranks[k] -= 1
    return -1


@compiled("void(f4[::1], f4[::1], f4[::1], i8[::1], i8[::1])")
def count_beyond(row, low, high, at_least, above):  # type: ignore[no-untyped-def]
    """Numbers of values that are at least `low`, and above `high`.

    row: [n]. low, high: of m pairs. The numbers are added to at_least and above, int64 [m].
    """
    for left in range(0, len(row), BLOCK):
        some = row[left : min(left + BLOCK, len(row))]
        for k in range(len(low)):
            least, reached = low[k], np.int32(0)
            for j in range(len(some)):
                reached = np.int32(reached + (some[j] >= least))
            at_least[k] += reached
            most, passed = high[k], np.int32(0)
            for j in range(len(some)):
                passed = np.int32(passed + (some[j] > most))
            above[k] += passed
