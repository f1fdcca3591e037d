"""Run-length masks: by hand, against the COCO API where it is installed, and damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.datasets.coco.rle import decode

MASK = [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]  # its columns: 000 100 110 001, in runs 3 1 2 2 3 1


@pytest.mark.parametrize("counts", [[3, 1, 2, 2, 3, 1], "31211O", b"31211O"])
def test_runs_go_down_the_columns(counts: Any) -> None:
    found = decode({"size": [3, 4], "counts": counts})
    assert found.dtype == bool and found.astype(int).tolist() == MASK


def test_numbers_of_several_characters() -> None:
    # 100 = 3 * 32 + 4: "T" holds 4 and says that more follow, "3" holds 3.
    found = decode({"size": [200, 1], "counts": "T3T3"})
    assert not found[:100].any() and found[100:].all()


def test_a_mask_may_be_empty_or_full() -> None:
    assert not decode({"size": [3, 2], "counts": "6"}).any()
    assert decode({"size": [3, 2], "counts": "06"}).all()


def test_the_coco_api_reads_the_same() -> None:
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    rng = np.random.default_rng(0)
    for number in range(60):
        height, width, cell = rng.integers(1, 200), rng.integers(1, 200), rng.integers(1, 30)
        coarse = rng.random((height // cell + 1, width // cell + 1)) > rng.random()
        mask = coarse.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
        packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        found = decode({"size": list(map(int, mask.shape)), "counts": packed["counts"].decode()})
        assert np.array_equal(found, mask), number


@pytest.mark.parametrize(
    ("size", "counts", "message"),
    [
        ([3, 4], [3, 1], r"the runs do not fill the 3 x 4 pixels"),
        ([3, 4], [14, -2], r"neither a text nor a list"),
        ([3, 4], [2**70], r"neither a text nor a list"),
        ([3, 4], None, r"neither a text nor a list"),
        ([3, 4], "", r"no packed numbers"),
        ([3, 4], "31 ", r"no packed numbers"),
        ([3, 4], "T", r"no packed numbers"),
        ([3, 4], "TTTTTTTT0", r"a number that is too long"),
        ([3, 4], "3121\u00e9", r"can't encode"),
        ([3, 4], "3121O", r"the runs do not fill"),
        ([10**6, 10**6], [10**12], r"size = \[1000000, 1000000\] is not"),
        ([3], "31211O", r"size = \[3\] is not \[height, width\]"),
    ],
)
def test_damaged_masks_are_refused(size: Any, counts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode({"size": size, "counts": counts})
