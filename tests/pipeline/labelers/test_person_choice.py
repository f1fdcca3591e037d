"""Which person a crop is about, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelers.person_choice import choose, status_of
from sorn.sample import Status


def test_nobody() -> None:
    assert choose(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) is None


def test_score_overlap_and_centrality_decide_together() -> None:
    middle, aside, small = (0.2, 0.1, 0.8, 0.9), (0.5, 0.0, 1.0, 1.0), (0.4, 0.4, 0.6, 0.6)
    # 0.48 * 1, 0.5 * 0.5, 0.04 * 1, each times the score
    for scores, number in (((0.9, 0.9, 0.9), 0), ((0.4, 0.9, 0.9), 1), ((0.01, 0.01, 0.9), 2)):
        choice = choose(np.array([middle, aside, small], np.float32), np.array(scores, np.float32))
        assert choice is not None and (choice.number, choice.people) == (number, 3)
        assert choice.score == pytest.approx(scores[number])
        assert choice.box == pytest.approx((middle, aside, small)[number])


def test_height_of_the_middle_does_not_count_and_the_first_of_equals_wins() -> None:
    boxes = np.array([(0.25, 0.0, 0.75, 0.5), (0.25, 0.25, 0.75, 0.75)], np.float32)
    choice = choose(boxes, np.array([0.5, 0.5], np.float32))
    assert choice is not None and choice.number == 0


def test_boxes_that_reach_beyond_the_image_are_cut() -> None:
    choice = choose(np.array([(-0.1, -0.1, 1.2, 1.1)], np.float32), np.array([0.5], np.float32))
    assert choice is not None and choice.box == (0, 0, 1, 1)


def test_status() -> None:
    assert [status_of(people, 64, 64) for people in (1, 2)] == [Status.OK, Status.SEVERAL_PEOPLE]
    assert [status_of(people, 63, 64) for people in (1, 2)] == [Status.LOW_RESOLUTION] * 2
