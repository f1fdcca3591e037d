"""Pictures: what is drawn where, read back from the pixels of the written files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.io.overlays import OVERLAY, class_colours, heat_colours, overlay_heat, overlay_parts
from pipeline.reports import canvas, pictures
from pipeline.reports.canvas import SheetTitle
from pipeline.reports.pictures import Explained, Ranked, RankedList
from sorn.parts import COLOURS, HEAD, TORSO

GREY = np.full((96, 32, 3), 128, np.uint8)


def colours_in(path: Path) -> set[tuple[int, int, int]]:
    with Image.open(path) as image:
        return {colour for _, colour in image.getcolors(image.width * image.height)}


def ranked(right: bool, visible: tuple[bool, ...] = (True, True, False)) -> Ranked:
    return Ranked(GREY, np.array(visible), 0.5, right)


def draw(path: Path, *lists: RankedList, visible: tuple[bool, ...] = (True, False, True)) -> None:
    pictures.draw_ranked_lists(path, SheetTitle("Query 1 of 1", "person 7"), GREY, np.array(visible), list(lists))


def test_borders_tell_right_wrong_and_query(tmp_path: Path) -> None:
    draw(tmp_path / "right.png", RankedList("sorn", 1, [ranked(True)]))
    draw(tmp_path / "wrong.png", RankedList("sorn", 2, [ranked(False)]))
    right, wrong = colours_in(tmp_path / "right.png"), colours_in(tmp_path / "wrong.png")
    assert {canvas.RIGHT, canvas.QUERY} <= right and canvas.WRONG not in right
    assert {canvas.WRONG, canvas.QUERY} <= wrong and canvas.RIGHT not in wrong


def test_one_row_per_variant_and_one_tile_per_image(tmp_path: Path) -> None:
    five = RankedList("sorn", 1, [ranked(True)] * 10)
    draw(tmp_path / "one.png", five)
    draw(tmp_path / "two.png", five, five)
    draw(tmp_path / "short.png", RankedList("sorn", 1, [ranked(True)] * 9))
    sizes = {name: Image.open(tmp_path / f"{name}.png").size for name in ("one", "two", "short")}
    assert sizes["two"][0] == sizes["one"][0] > sizes["short"][0] and sizes["two"][1] > sizes["one"][1]


def test_stripes_are_filled_where_visible() -> None:
    page = canvas.Sheet(200, 200, SheetTitle(""))
    page.stripes((10, 60), 90, np.array([True, False, True]))
    middle = [page.canvas.getpixel((13, 60 + 15 + 30 * p)) for p in range(3)]
    assert middle == [canvas.INK, canvas.PAPER, canvas.INK]


def test_a_network_without_stripes_can_be_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", RankedList("global", 1, [ranked(True, visible=())]), visible=())
    assert (tmp_path / "a.png").is_file()


def test_title_and_note_never_overlap() -> None:
    page = canvas.Sheet(50, 100, SheetTitle("a title", "a note that is longer than the picture is wide"))
    assert page.width > 300 and page.canvas.size == (page.width, 100)


def test_parts_are_coloured_and_background_is_grey() -> None:
    image = np.zeros((8, 4, 3), np.uint8)
    image[..., 0] = 90
    parts = np.array([[HEAD, 0], [TORSO, 0]], np.uint8)
    shown = overlay_parts(image, parts, 8)
    grey = 30
    assert (shown[:, 2:] == grey).all()
    expected = (1 - OVERLAY) * grey + OVERLAY * COLOURS[[HEAD, TORSO]].astype(float)
    assert shown[0, 0] == pytest.approx(expected[0], abs=1) and shown[7, 0] == pytest.approx(expected[1], abs=1)


@pytest.mark.parametrize("labels", [8, 5, 2])
def test_every_class_has_a_colour_of_its_own(labels: int) -> None:
    colours = class_colours(labels)
    assert len({tuple(colour) for colour in colours.tolist()}) == len(colours) == labels
    assert (colours[0] == COLOURS[0]).all()


def test_heat_rises_in_brightness() -> None:
    brightness = heat_colours(np.linspace(0, 1, 32)).astype(int).sum(axis=1)
    assert (np.diff(brightness) > 0).all()


def test_heat_lies_where_the_map_is_high() -> None:
    values = np.zeros((6, 2), np.float32)
    values[:2] = 1
    shown = overlay_heat(GREY, values).astype(int).sum(axis=2)
    assert shown[:24].min() > shown[48:].max()


@pytest.mark.parametrize("labels", [8, 5, 2])
@pytest.mark.parametrize("count", [1, 7])
def test_masks_and_maps_of_any_number_of_examples(tmp_path: Path, labels: int, count: int) -> None:
    parts = np.ones((24, 8), np.uint8)
    maps = np.full((3, 6, 2), 0.5, np.float32)
    examples = [Explained(f"query/{i}.jpg", GREY, parts, None, maps) for i in range(count)]
    pictures.draw_part_masks(tmp_path / "parts.png", SheetTitle("Part masks"), labels, examples)
    pictures.draw_maps(tmp_path / "maps.png", SheetTitle("Maps"), examples)
    class_one = tuple(int(value) for value in class_colours(labels)[1])
    assert class_one in colours_in(tmp_path / "parts.png")
    assert not list(tmp_path.glob("*.tmp"))


def test_overlays_leave_room_for_headings_and_long_names(tmp_path: Path) -> None:
    def size(sections: dict[str, int], texts: tuple[str, ...] = ()) -> tuple[int, int]:
        mask = np.full((96, 32), HEAD, np.uint8)
        drawn = {
            heading: [pictures.Overlaid(GREY, {"labelled": mask}, texts)] * count for heading, count in sections.items()
        }
        pictures.draw_overlays(tmp_path / "labels.png", SheetTitle("Labels"), 8, drawn)
        return Image.open(tmp_path / "labels.png").size

    plain, headed, two = size({"": 4}), size({"random": 4}), size({"random": 4, "worst": 5})
    assert plain[1] < headed[1] and two[1] - headed[1] > 2 * pictures.TILE, "the second section has two rows"
    assert size({"random": 4}, ("a name",))[1] > headed[1]
    name = "a very long name, of which the end is shown " * 4
    assert size({"random": 4}, (name,)) == size({"random": 4}, ("a name",))
    assert size({name: 4})[0] > headed[0]


def test_the_end_of_a_long_name_is_kept() -> None:
    drawn: list[str] = []
    page = canvas.Sheet(400, 100, SheetTitle(""))
    page.text = lambda at, text, *_: drawn.append(text)  # type: ignore[method-assign]
    for text in ("a.jpg", "train/deep/folder/0001_c1.jpg"):
        page.tail((0, 0), 100, text)
    assert drawn[0] == "a.jpg" and drawn[1].startswith("…") and drawn[1].endswith("0001_c1.jpg")
    assert canvas.font(canvas.TEXT).getlength(drawn[1]) <= 100


def test_maps_of_many_sets_fit(tmp_path: Path) -> None:
    example = Explained("query/0.jpg", GREY, None, None, np.full((24, 6, 2), 0.5, np.float32))
    pictures.draw_maps(tmp_path / "maps.png", SheetTitle("Maps"), [example])
    assert Image.open(tmp_path / "maps.png").size[0] > 24 * 64
