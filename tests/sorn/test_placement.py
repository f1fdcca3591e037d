"""Cut pictures at their place: found by the parts that are seen, with proportions kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sorn.placement import Placement, find_place, part_rows, placed

HEIGHTS = ((0.0, 0.15), (0.15, 0.5), (0.18, 0.35), (0.35, 0.52), (0.5, 0.7), (0.7, 0.92), (0.92, 1.0))


def person(rows: int = 200) -> np.ndarray:
    """Mask of a whole person: every part in columns of its own."""
    mask = np.zeros((rows, 70), np.uint8)
    for part, (top, bottom) in enumerate(HEIGHTS, 1):
        mask[round(top * rows) : round(bottom * rows), 10 * (part - 1) : 10 * part] = part
    return mask


def stretched(mask: np.ndarray, rows: int = 200) -> np.ndarray:
    return mask[np.arange(rows) * len(mask) // rows]


def ends(heights: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Heights as `part_rows` measures them: a share of each part lies above its top and below its bottom."""
    return tuple((top + 0.05 * (bottom - top), bottom - 0.05 * (bottom - top)) for top, bottom in heights)


def test_rows_of_parts_are_where_they_begin_and_end() -> None:
    rows = part_rows(person())
    np.testing.assert_allclose(rows / 200, ends(HEIGHTS), atol=0.011)
    mask = person()
    mask[mask == 3] = 0
    mask[100, 20] = 3  # a stray pixel
    assert np.isnan(part_rows(mask)[2]).all()


@pytest.mark.parametrize(("first", "last"), [(0.0, 0.4), (0.0, 0.6), (0.0, 0.75), (0.4, 1.0), (0.6, 1.0), (0.25, 0.8)])
def test_the_place_is_what_was_cut_out_of_a_whole_picture(first: float, last: float) -> None:
    whole = person(400)
    cut = stretched(whole[round(first * 400) : round(last * 400)])
    place = find_place(cut, ends(HEIGHTS), 1 / (last - first))
    assert place is not None
    assert (place.top, place.top + place.height) == pytest.approx((first, last), abs=0.03)


def test_a_picture_as_narrow_as_that_of_a_whole_person_is_not_cut() -> None:
    whole = person(400)
    behind = stretched(whole[:240])  # somebody without legs in a picture as high as others: seated, or behind a wall
    assert find_place(behind, ends(HEIGHTS), 1.0) is None
    assert find_place(behind, ends(HEIGHTS), 1.08) is None, "at its place 0.65 as wide as others"
    assert find_place(behind, ends(HEIGHTS), 1.25) is not None


def test_pictures_of_whole_people_and_of_too_little_are_left_alone() -> None:
    heights = ends(HEIGHTS)
    assert find_place(person(), heights, 2.0) is None
    for row in (80, 120, 160):
        hidden = person()
        hidden[row:] = 0  # something stands before the legs; the picture is not cut
        assert find_place(hidden, heights, 2.0) is None
        assert find_place(np.where(np.arange(200)[:, None] < 200 - row, 0, person()), heights, 2.0) is None
    assert find_place(np.zeros((200, 70), np.uint8), heights, 2.0) is None
    assert find_place(np.full((200, 70), 2, np.uint8), heights, 2.0) is None, "nothing but torso"


def test_a_picture_keeps_its_proportions_and_the_rest_is_padded() -> None:
    image = torch.full((100, 40, 3), 200, dtype=torch.uint8)
    frame = placed(image, Placement(0.25, 0.5), 1.0, torch.tensor([10.0, 20.2, 29.8]))
    assert frame.shape == image.shape and frame.dtype == torch.uint8
    assert (frame[25:75, 10:30] == 200).all()
    outside = frame.clone()
    outside[25:75, 10:30] = torch.tensor([10, 20, 30], dtype=torch.uint8)
    assert (outside == torch.tensor([10, 20, 30], dtype=torch.uint8)).all()
    wide = placed(image, Placement(0.0, 0.5), 2.4, torch.zeros(3))
    assert (wide[:50] == 200).all() and (wide[50:] == 0).all(), "as wide as the frame, and no wider"
