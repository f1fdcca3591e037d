"""Values of label maps: ids in channels, layers and floats, and what is no id."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.datasets.class_tables import load_table
from pipeline.datasets.mask_values import Misfit, Outline, class_ids, require_ids, to_parts

IDS = np.random.default_rng(0).integers(0, 20, (12, 7))
IDS[0, 0] = 19
LIP = load_table("lip20", "lower_arm")
STACK = np.eye(20)[IDS]  # [h, w, 20], one class per pixel


@pytest.mark.parametrize(
    "values",
    [
        *(IDS.astype(kind) for kind in ("i1", "u1", ">u2", "<i4", "i8", "u8", ">i8", "f2", "f4", ">f8")),
        np.asfortranarray(IDS),
        IDS[None],
        IDS[..., None],
        IDS[None, None],
        IDS[None, :, :, None],
        np.stack([IDS] * 3, axis=-1),
        np.stack([IDS] * 3),
        STACK,
        STACK.transpose(2, 0, 1),
        STACK.astype(bool),
        STACK.transpose(2, 0, 1).astype(np.uint8),
    ],
    ids=lambda values: f"{values.dtype.str}{list(values.shape)}",
)
def test_ids_are_found_wherever_there_is_one_way_to_read_them(values: np.ndarray) -> None:
    found = class_ids(values, classes=20)
    assert found.dtype.kind in "ui" and np.array_equal(found, IDS)
    assert np.array_equal(to_parts(found, LIP, "lip20"), LIP[IDS])


@pytest.mark.parametrize("axis", [0, 2])
def test_a_channel_is_named_where_several_differ(axis: int) -> None:
    channels = np.stack([IDS, IDS * 0 + 3, IDS * 0 + 4], axis)
    with pytest.raises(Misfit, match=r"is no label map but int64 of shape .*its channels differ") as caught:
        class_ids(channels, classes=20)
    assert caught.value.option == "channel=red"
    assert np.array_equal(class_ids(channels, "red", 20), IDS)
    assert (class_ids(channels, "blue", 20) == 4).all()
    assert np.array_equal(
        class_ids(np.stack([IDS, IDS * 0 + 255, IDS], axis)[..., :2] if axis else channels, "red"), IDS
    )


@pytest.mark.parametrize("channel", ["", "red"])
def test_one_channel_needs_no_name(channel: str) -> None:
    assert np.array_equal(class_ids(IDS, channel), IDS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((6, 4), 0.73, np.float32), r"holds the number 0\.73, which is no class id.*argmax"),
        (np.full((6, 4), np.nan), r"holds the number nan"),
        (np.full((6, 4), 1e30), r"holds the number 1e\+30"),
        (np.random.default_rng(0).normal(size=(20, 6, 5)), r"of shape \(20, 6, 5\): 20 layers.*values\.argmax\(0\)"),
        (np.random.default_rng(0).normal(size=(6, 5, 20)), r"of shape \(6, 5, 20\): 20 layers.*values\.argmax\(2\)"),
        (STACK + STACK[::-1], r"20 layers"),  # two classes per pixel
        (STACK[..., :12], r"is no label map but float64 of shape \(12, 7, 12\)"),  # of another table
        (np.zeros((6, 4), complex), "is no label map but complex128"),
        (np.zeros((6, 0), np.uint8), r"is no label map but uint8 of shape \(6, 0\)"),
        (np.zeros(6, np.uint8), r"is no label map but uint8 of shape \(6,\)"),
        (np.zeros((2, 6, 4, 3), np.uint8), r"is no label map but uint8 of shape \(2, 6, 4, 3\)"),
    ],
)
def test_what_is_no_label_map_is_named(values: np.ndarray, message: str) -> None:
    with pytest.raises(Misfit, match=message):
        class_ids(values, classes=20)


def test_values_outside_the_table_are_named_and_counted() -> None:
    values = IDS.copy()
    values[0, :3] = 200
    with pytest.raises(Misfit, match=r"the value 200, which class table lip20 does not know \(200 in 3 of 84 pixels\)"):
        to_parts(values, LIP, "lip20")
    values[1, :6] = [20, 21, 22, 23, 24, 25]
    with pytest.raises(
        Misfit, match=r"7 values, which .* \(20 in 1, 21 in 1, 22 in 1, 23 in 1, 3 more values of 84 pixels\)"
    ):
        to_parts(values, LIP, "lip20")


@pytest.mark.parametrize("void", [255, -1, 65535])
def test_pixels_without_a_class_become_background_when_asked(void: int) -> None:
    values = IDS.copy()
    values[0] = void
    with pytest.raises(Misfit, match=f"the value {void}, which") as caught:
        to_parts(values, LIP, "lip20")
    assert caught.value.option == f"ignore={void}"
    found = to_parts(values, LIP, "lip20", (void,))
    assert not found[0].any() and np.array_equal(found[1:], LIP[IDS[1:]])


@pytest.mark.parametrize("values", [IDS > 9, np.where(IDS > 9, 255, 0), np.full((6, 4), 255)])
def test_outlines_are_no_class_ids(values: np.ndarray) -> None:
    with pytest.raises(Outline, match="Give the label maps, not the outlines"):
        to_parts(require_ids(values, LIP, "lip20"), LIP, "lip20")


def test_true_and_false_are_the_ids_of_a_table_of_two_classes() -> None:
    two = np.array([0, 2], np.int16)
    assert to_parts(require_ids(np.array([[True, False]]), two, "two"), two, "two").tolist() == [[2, 0]]
