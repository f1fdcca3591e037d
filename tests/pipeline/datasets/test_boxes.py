"""Boxes in frames: the pixels inside, cut at the border; what is no box is told with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.boxes import FrameBox, FrameCrop, crop_of, look_at_boxes, read_crops
from pipeline.datasets.image_folder import look, read_pictures
from pipeline.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    (tmp_path / "frames").mkdir()
    Image.fromarray(PIXELS).save(tmp_path / "frames" / "a.png")
    return tmp_path


def table(folder: Path, *rows: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text("\n".join(["path,x,y,w,h", *rows]))
    return path


def test_crops_are_the_pixels_inside_their_boxes(frames):
    boxes = look_at_boxes(
        table(frames, "frames/a.png,10,5,20,30", "frames/a.png,-4,-6,10,12", "frames/a.png,55,35,9,9")
    )
    assert boxes.names == ("frames/a.png@-4,-6,10,12", "frames/a.png@10,5,20,30", "frames/a.png@55,35,9,9")
    found = [boxes.pixels(name) for name in boxes.names]
    expected = [PIXELS[:6, :6], PIXELS[5:35, 10:30], PIXELS[35:, 55:]]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert np.array_equal(FrameCrop(frames / "frames" / "a.png", FrameBox(10, 5, 20, 30)).pixels(), expected[1])


def test_a_name_says_frame_and_box():
    crop = FrameCrop(Path("a@b.png"), FrameBox(1.5, 2, 3, 4))
    assert crop.name == "a@b.png@1.5,2,3,4" and crop_of(crop.name) == crop
    assert crop_of("a@b.png") is crop_of("a.png") is crop_of("a@1,2,3") is None


def test_boxes_without_a_size_or_outside_the_frame_are_left_out_by_name(frames):
    boxes = look_at_boxes(table(frames, "frames/a.png,1,1,0,5", "frames/a.png,1,1,5,5", "frames/a.png,60,0,5,5"))
    assert boxes.others == {
        "frames/a.png@1,1,0,5 (line 2)": "its box 1,1,0,5 has no size: w and h must be greater than 0"
    }
    good, outside = read_pictures(boxes, boxes.names, (8, 8))
    assert good.image is not None and outside.image is None
    assert outside.wrong == "its box 60,0,5,5 lies outside the frame of 60x40 pixels"


@pytest.mark.parametrize(
    "box", [FrameBox(0, 0, -1, 3), FrameBox(0, 0, 3, float("nan")), FrameBox(float("inf"), 0, 1, 1)]
)
def test_a_query_with_a_wrong_box_is_refused(frames, box):
    with pytest.raises(UserError, match=r"a\.png: its box .* has no size.*Correct the box"):
        FrameCrop(frames / "frames" / "a.png", box).pixels()


def test_a_query_outside_its_frame_is_refused(frames):
    with pytest.raises(UserError, match=r"a\.png: its box 0,40,5,5 lies outside the frame of 60x40 pixels\. Correct"):
        FrameCrop(frames / "frames" / "a.png", FrameBox(0, 40, 5, 5)).pixels()


def test_a_change_of_a_box_or_a_frame_is_other_content(frames):
    one, other = (look_at_boxes(table(frames, f"frames/a.png,1,1,{width},5")) for width in (5, 6))
    assert one.content(one.names[0]) != other.content(other.names[0]) and one.digest != other.digest
    before = one.content(one.names[0])
    Image.fromarray(PIXELS[::-1]).save(frames / "frames" / "a.png")
    again = look_at_boxes(one.source)
    assert again.content(again.names[0]) != before
    assert look(frames / "frames").content("a.png") != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,x,y,w\na.png,1,2,3", "has no column h"),
        ("path,x,y,w,h\na.png,1,2,wide,4", "line 2: x,y,w,h = 1,2,wide,4 are not four numbers"),
        ("path,x,y,w,h\n", "has no box"),
        ("path,x,y,w,h\na.png,1,2,0,4", "has no box but 1 without a size"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path, text, said):
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{path}.*{said}.*path,x,y,w,h"):
        look_at_boxes(path)
    with pytest.raises(UserError, match="there is no file"):
        read_crops(tmp_path / "none.csv")
