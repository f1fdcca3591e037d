"""Layers of scores: BPBReID's confidences become parts at the image's size."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.datasets.class_tables import load_table
from pipeline.datasets.mask_values import Misfit
from pipeline.datasets.score_layers import are_scores, parts_of_scores
from pipeline.datasets.shipped_tables import LAYERS
from sorn.parts import FOOT, HEAD, TORSO, UPPER_ARM

CLASSES = load_table("pifpaf36", "lower_arm")
NAMES = [name for name, _ in LAYERS["pifpaf36"]]


def scores(**boxes: tuple[int, int]) -> np.ndarray:
    """Layers of 17 x 9 for an image of 128 x 64, each 0.9 in some rows. boxes: layer -> its rows."""
    values = np.zeros((36, 17, 9), np.float32)
    for name, (first, last) in boxes.items():
        values[NAMES.index(name.replace("_", " ")), first:last] = 0.9
    return values


def test_a_pixel_has_the_part_of_its_largest_score() -> None:
    values = scores(nose=(0, 3), left_shoulder_to_left_hip=(4, 9), right_ankle=(15, 17))
    found = parts_of_scores(values, CLASSES, (128, 64))
    assert found.shape == (128, 64) and found.dtype == np.uint8
    assert [found[row, 32] for row in (8, 50, 100, 124)] == [HEAD, TORSO, 0, FOOT]


def test_below_the_threshold_is_background() -> None:
    values = scores(left_elbow=(0, 17))
    assert (parts_of_scores(values, CLASSES, (128, 64)) == UPPER_ARM).all()
    assert not parts_of_scores(values * 0.5, CLASSES, (128, 64)).any()
    assert parts_of_scores(values * 0.5, CLASSES, (128, 64), threshold=0.4).all()


def test_borders_run_between_the_cells() -> None:
    """The border of two layers lies in the middle between their last cells, not at the edge of a cell of 8 pixels."""
    values = np.zeros((36, 16, 8), np.float32)
    values[NAMES.index("nose"), :8], values[NAMES.index("left hip"), 8:] = 0.6, 1.0
    found = parts_of_scores(values, CLASSES, (128, 64), threshold=0.3)
    border = int(np.flatnonzero(found[:, 32] == TORSO)[0])
    assert 60 < border < 64 and found[border - 1, 32] == HEAD


@pytest.mark.parametrize("form", ["layers last", "batch of one", "half", "another order in memory"])
def test_forms_of_one_array(form: str) -> None:
    values = scores(nose=(0, 3), right_ankle=(15, 17))
    other = {
        "layers last": values.transpose(1, 2, 0),
        "batch of one": values[None],
        "half": values.astype(np.float16),
        "another order in memory": np.asfortranarray(values)[:, ::-1][:, ::-1],
    }[form]
    assert are_scores(other, 36)
    assert np.array_equal(parts_of_scores(other, CLASSES, (128, 64)), parts_of_scores(values, CLASSES, (128, 64)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((17, 9), np.int64), r"no stack of 36 layers of scores but int64 of shape \(17, 9\)"),
        (np.zeros((35, 17, 9), np.float32), r"no stack of 36 layers of scores but float32 of shape \(35, 17, 9\)"),
        (np.full((36, 17, 9), 7.5, np.float32), "holds the score 7.5, and a confidence lies from 0 to 1. Save scores"),
        (np.full((36, 17, 9), np.nan, np.float32), "holds the score nan"),
        (np.zeros((36, 9, 17), np.float32), "17x9 pixels and its image 64x128: another shape, the same lying on its"),
    ],
)
def test_what_is_no_stack_of_scores(values: np.ndarray, message: str) -> None:
    with pytest.raises(Misfit, match=message):
        parts_of_scores(values, CLASSES, (128, 64))


def test_ids_are_no_scores() -> None:
    assert not are_scores(np.zeros((36, 17, 9), np.float32), 36)
    assert not are_scores(np.ones((36, 17, 9), np.uint8), 36)
    assert not are_scores(np.full((17, 36), 0.5), 36)
