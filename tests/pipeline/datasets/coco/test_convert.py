"""DensePose-COCO: a hand-made annotation file becomes crops, masks and a list that the data stage reads."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.datasets.coco import convert as coco_convert
from pipeline.datasets.coco.convert import CropOptions, convert
from pipeline.datasets.discovery import find_records
from pipeline.datasets.manifest import load_manifest, mask_path
from pipeline.datasets.mask_files import read_label_map
from pipeline.errors import UserError

TORSO, RIGHT_HAND, HEAD = 1, 2, 14  # DensePose's coarse parts
BOX = [10.0, 20.0, 32.0, 64.0]  # x, y, width, height: a pixel is 8 cells wide and 4 high


def rle(rows: slice, columns: slice) -> dict[str, Any]:
    """A rectangle of the 256 x 256 grid, in runs."""
    mask = np.zeros((256, 256), np.uint8)
    mask[rows, columns] = 1
    edges = np.flatnonzero(np.diff(mask.ravel("F"), prepend=0))
    runs = np.diff([0, *edges, 256 * 256]).tolist()
    return {"size": [256, 256], "counts": runs}


def masks(**parts: dict[str, Any]) -> list[Any]:
    """dp_masks with the parts named p1 .. p14; the others are empty."""
    return [parts.get(f"p{part}", []) for part in range(1, 15)]


def person(number: int, image: int = 7, box: list[float] = BOX, **more: Any) -> dict[str, Any]:
    """A torso over the upper half of the box, above it in the list a head over its upper quarter."""
    drawn = masks(p1=rle(slice(0, 128), slice(0, 256)), p14=rle(slice(0, 64), slice(0, 256)))
    return {"id": number, "image_id": image, "category_id": 1, "bbox": box, "dp_masks": drawn} | more


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A folder with one image of 60 x 100 pixels, whose red and green tell column and row."""
    rows, columns = np.mgrid[0:100, 0:60]
    pixels = np.stack([columns * 4, rows * 2, np.full_like(rows, 128)], axis=-1).astype(np.uint8)
    (tmp_path / "coco").mkdir()
    Image.fromarray(pixels).save(tmp_path / "coco" / "a.jpg", quality=100, subsampling=0)
    return tmp_path / "coco"


def write(folder: Path, *annotations: dict[str, Any], **more: Any) -> Path:
    document = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 60, "height": 100}],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}],
        "annotations": list(annotations),
    }
    path = folder / "annotations.json"
    path.write_text(json.dumps(document | more))
    return path


def mask_of(out: Path, name: str) -> np.ndarray:
    return read_label_map(out / "masks" / "labeler" / "images" / f"{name}.png")


def test_the_mask_is_pasted_into_the_box_and_cut_with_its_margin(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = convert(write(tmp_path, person(5)), coco, out, CropOptions(margin=0.25))
    assert (done.instances, done.images, done.points) == (1, 1, 0)
    mask = mask_of(out, "7_5")
    # 8 pixels more on both sides, 16 above and below, of which the image has all: 10-8=2 .. 50, 20-16=4 .. 100.
    assert mask.shape == (96, 48)
    expected = np.zeros((96, 48), np.uint8)
    expected[16:32, 8:40] = 1  # head, last in the list, covers the torso
    expected[32:48, 8:40] = 2
    assert np.array_equal(mask, expected)
    with Image.open(out / "images" / "7_5.jpg") as image:
        assert image.size == (48, 96)
        red, green, _ = image.getpixel((0, 0))
        assert abs(red - 2 * 4) <= 6 and abs(green - 4 * 2) <= 6


def test_a_crop_ends_where_the_image_does(coco: Path, tmp_path: Path) -> None:
    box = [-8.0, 60.0, 32.0, 64.0]  # 8 pixels left of the image, 24 below it
    convert(write(tmp_path, person(5, box=box)), coco, tmp_path / "out", CropOptions(margin=0.5))
    mask = mask_of(tmp_path / "out", "7_5")
    assert mask.shape == (100 - 28, 24 + 16)
    assert (mask[60 - 28 : 76 - 28, :24] == 1).all() and (mask[76 - 28 : 92 - 28, :24] == 2).all()
    assert np.count_nonzero(mask) == 32 * 24


def test_a_box_between_pixels_takes_the_cell_under_each_centre(coco: Path, tmp_path: Path) -> None:
    box = [10.4, 20.6, 32.0, 64.0]  # the centre of pixel 10 lies in the box, that of row 20 above it
    convert(write(tmp_path, person(5, box=box)), coco, tmp_path / "out", CropOptions(margin=0))
    mask = mask_of(tmp_path / "out", "7_5")
    assert mask.shape == (65, 33)
    assert (
        not mask[0].any() and (mask[1:17, :32] == 1).all() and (mask[17:33, :32] == 2).all() and not mask[:, 32].any()
    )


def test_hands_and_later_parts(coco: Path, tmp_path: Path) -> None:
    drawn = masks(p1=rle(slice(0, 256), slice(0, 256)), p2=rle(slice(128, 256), slice(0, 128)))
    convert(write(tmp_path, person(5, dp_masks=drawn)), coco, tmp_path / "out", CropOptions(margin=0))
    mask = mask_of(tmp_path / "out", "7_5")
    assert (mask[32:, :16] == 4).all() and (mask[:32] == 2).all() and (mask[32:, 16:] == 2).all()


def test_points_tell_how_far_the_masks_can_be_trusted(coco: Path, tmp_path: Path) -> None:
    # (x, y) in cells: head on head, torso on torso, left foot on torso, torso on background, head outside the image.
    points = {"dp_x": [128, 0, 255, 10, 200], "dp_y": [10, 64, 127, 128, 0], "dp_I": [23.0, 1.0, 5.0, 2.0, 24.0]}
    done = convert(write(tmp_path, person(5, **points)), coco, tmp_path / "out", CropOptions())
    assert (done.points, done.agreeing) == (5, 3)
    assert "60.0% of 5 surface points agree" in done.text()
    outside = [40.0, 20.0, 32.0, 64.0]  # the image ends at 60, so that cells from 160 on are outside
    done = convert(write(tmp_path, person(5, box=outside, **points)), coco, tmp_path / "other", CropOptions())
    assert (done.points, done.agreeing) == (3, 2)


def test_who_is_left_out_is_counted(coco: Path, tmp_path: Path) -> None:
    without = person(1)
    del without["dp_masks"]
    skipped = [
        without,
        person(2, dp_masks=rle(slice(0, 9), slice(0, 9))),
        person(3, iscrowd=1),
        person(4, box=[0, 0, 20, 31.5]),
        person(6, category_id=2),
        person(8, dp_masks=masks()),
        person(9, box=[70, 0, 20, 40]),
    ]
    done = convert(write(tmp_path, *skipped, person(5)), coco, tmp_path / "out", CropOptions())
    assert done.instances == 1 and done.skipped.total() == 7
    for words in (
        "without dp_masks, as most of COCO's people are",
        "with one mask of the whole figure, which tells no parts",
        "of crowds",
        "lower than 32 pixels",
        "of other things than people",
        "in which no part is drawn",
        "outside their image",
    ):
        assert f"\n  left out: 1 {words}\n" in done.text()
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir()) == ["7_5.jpg"]
    with pytest.raises(
        UserError, match=r"no person with part masks \(1 without dp_masks, as most of COCO's people are\)"
    ):
        convert(write(tmp_path, without), coco, tmp_path / "empty", CropOptions())
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [1, 2, float("nan"), 4]}, r"annotation 0 \(id 5\) is damaged: .*bbox"),
        ({"image_id": 8}, r"annotation 0 \(id 5\) is damaged: there is no image 8"),
        ({"id": "../5"}, r"'\.\./5' is no whole number"),
        ({"dp_masks": [*masks(), rle(slice(0, 9), slice(0, 9))]}, "dp_masks has 15 entries, not 14"),
        ({"dp_masks": masks(p3={"size": [9, 9], "counts": "T3"})}, "mask of part 3 is no run-length mask of 256 x 256"),
        ({"dp_masks": masks(p3={"size": [256, 256], "counts": "T3"})}, "annotation 5: the mask of part 3 is damaged"),
        ({"dp_x": [1], "dp_y": [1], "dp_I": [25]}, "no points of parts 1 to 24"),
        ({"dp_x": [1, 2], "dp_y": [1], "dp_I": [2]}, "is damaged: all input arrays must have the same shape"),
        ({"bbox": None}, "is damaged: 'NoneType'"),
        ({"id": None}, "None is no whole number"),
    ],
)
def test_a_damaged_annotation_is_named(coco: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        convert(write(tmp_path, person(5) | change), coco, tmp_path / "out", CropOptions())


def test_a_missing_field_is_named(coco: Path, tmp_path: Path) -> None:
    incomplete = person(5)
    del incomplete["bbox"]
    with pytest.raises(UserError, match=r"annotation 0 \(id 5\) is damaged: it has no 'bbox'\. Get the file again"):
        convert(write(tmp_path, incomplete), coco, tmp_path / "out", CropOptions())


def test_files_of_another_kind_are_refused(coco: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text, message in (
        ("{", "is not JSON"),
        ("[]", "holds no COCO annotations"),
        ('{"images": []}', "holds no COCO"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            convert(path, coco, tmp_path / "out", CropOptions())
    with pytest.raises(UserError, match=r"gone\.json cannot be read: No such file"):
        convert(tmp_path / "gone.json", coco, tmp_path / "out", CropOptions())
    twice = write(tmp_path, person(5), person(5))
    with pytest.raises(UserError, match=r"annotation 1 \(id 5\) is damaged: .*id 5 occurs twice"):
        convert(twice, coco, tmp_path / "out", CropOptions())
    outside = write(tmp_path, person(5), images=[{"id": 7, "file_name": "../a.jpg", "width": 60, "height": 100}])
    with pytest.raises(UserError, match="leads out of the folder of images"):
        convert(outside, coco, tmp_path / "out", CropOptions())


def test_images_that_are_missing_or_another(coco: Path, tmp_path: Path) -> None:
    annotations = write(tmp_path, person(5))
    with pytest.raises(UserError, match=r"1 of 1 images are not in .*empty, first a\.jpg\. Give the folder"):
        convert(annotations, tmp_path / "empty", tmp_path / "out", CropOptions())
    Image.new("RGB", (100, 60)).save(coco / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg is 100x60 pixels, but 60x100 in the annotations"):
        convert(annotations, coco, tmp_path / "out", CropOptions())
    (coco / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(UserError, match=r"a\.jpg cannot be read as an image"):
        convert(annotations, coco, tmp_path / "out", CropOptions())


def test_an_interrupted_run_goes_on(coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annotations, out = write(tmp_path, person(5), person(6), person(9)), tmp_path / "out"
    whole = convert(annotations, coco, tmp_path / "whole", CropOptions(), workers=1)
    written = 0
    write_file = coco_convert._write

    def fail_at_the_fourth(path: Path, *more: Any, **options: Any) -> None:
        nonlocal written
        written += 1
        if written == 4:
            raise OSError(28, "No space left on device", str(path))
        write_file(path, *more, **options)

    monkeypatch.setattr(coco_convert, "_write", fail_at_the_fourth)
    with pytest.raises(UserError, match=r"7_6\.png cannot be written: No space left on device\. .*same command again"):
        convert(annotations, coco, out, CropOptions())
    assert not (out / "densepose_coco.csv").exists()
    monkeypatch.setattr(coco_convert, "_write", write_file)
    kept = (out / "images" / "7_5.jpg").stat()
    again = convert(annotations, coco, out, CropOptions())
    assert (out / "images" / "7_5.jpg").stat() == kept
    assert (again.instances, again.points) == (whole.instances, whole.points) == (3, 0)
    files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    others = tmp_path / "whole"
    assert files == {path.relative_to(others): path.read_bytes() for path in others.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="out holds other files, or crops of other annotations or options"):
        convert(annotations, coco, out, CropOptions(margin=0.2))


def test_the_command_can_be_pasted(coco: Path, tmp_path: Path) -> None:
    text = convert(write(tmp_path, person(5)), coco, tmp_path / "my people", CropOptions()).text()
    (command,) = [line.removeprefix("  -> ") for line in text.splitlines() if "->" in line]
    assert shlex.split(command) == ["make", "labeler", f"DATASET={tmp_path}/my people/densepose_coco.toml"]


def test_the_list_is_a_dataset_whose_masks_are_found(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["data", "coco", str(write(tmp_path, person(5), person(6))), "--images", str(coco), "--out", str(out)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0 and f"make labeler DATASET={out}/densepose_coco.toml" in result.output
    for name in ("densepose_coco.toml", "densepose_coco.csv"):
        manifest = load_manifest(str(out / name))
        found = find_records(manifest, tmp_path)
        assert [(record.split, record.pid, record.camid) for record in found.records] == [
            ("labeler", 5, 1),
            ("labeler", 6, 1),
        ]
        for record in found.records:
            assert read_label_map(mask_path(manifest, found.root, record)).shape == (78, 40)
    assert "not for commercial use" in load_manifest(str(out / "densepose_coco.toml")).licence
    result = CliRunner().invoke(main, [*words, "--margin", "2"])
    assert result.exit_code == 1 and "margin = 2.0" in result.output and result.output.startswith("Error: ")
