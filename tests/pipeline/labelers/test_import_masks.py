"""Labeler `import`: names of other tools' files, options, warnings, and runs made before there were options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers.base import Source
from pipeline.labelers.import_masks import ImportMasks
from pipeline.runs.config import Runtime
from pipeline.runs.config_loading import load_config

IDS = np.random.default_rng(0).integers(0, 20, (32, 16), np.uint8)
IMAGE = np.zeros((32, 16, 3), np.uint8)


def record(root: Path, name: str = "x.jpeg") -> ImageRecord:
    return ImageRecord(f"train/{name}", root / "images" / name, 1, 1, "train")


def importer(root: Path, **options: object) -> ImportMasks:
    given = {"folder": str(root / "maps"), "table": "lip20", **options}
    return ImportMasks(given, Source(cast(Manifest, None), root))


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    folder = tmp_path / "maps" / "images"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("end", ["_seg.npy", "_parsing.png", "-mask.npz", ".jpg.png"])
def test_the_names_of_other_tools(tmp_path: Path, maps: Path, end: str) -> None:
    """The message names the pattern, and the pattern finds the map."""
    path = maps / f"x{end}"
    if end.endswith("png"):
        Image.fromarray(IDS).save(path)
    else:
        (np.save if end.endswith("npy") else np.savez)(path, IDS)
    with pytest.raises(
        UserError, match=rf"1 of 1 images have no label map.*but {re.escape(path.name)} is there"
    ) as error:
        importer(tmp_path).prepare([record(tmp_path)], Runtime())
    words = shlex.split(error.value.remedy.partition(": ")[2])
    assert words == ["--set", f"masks.options.pattern={{path}}{end}"]
    labeler = importer(tmp_path, pattern=words[1].partition("=")[2])
    labeler.prepare([record(tmp_path)], Runtime())
    (found,) = labeler.label([record(tmp_path)], [IMAGE])
    assert np.array_equal(found.mask, labeler.lookup[IDS])


def test_sapiens_writes_an_outline_beside_its_ids(tmp_path: Path, maps: Path) -> None:
    np.save(maps / "x.npy", IDS > 0)
    np.save(maps / "x_seg.npy", IDS.astype(np.int64))
    labeler = importer(tmp_path)
    with pytest.raises(UserError, match=r"x\.npy holds true and false.*--set 'masks.options.pattern={path}_seg.npy'"):
        labeler.label([record(tmp_path)], [IMAGE])
    labeler = importer(tmp_path, pattern="{path}_seg.npy")
    assert np.array_equal(labeler.label([record(tmp_path)], [IMAGE])[0].mask, labeler.lookup[IDS])


@pytest.mark.parametrize(
    ("end", "why"), [(".jpg", "changes class ids"), (".JPEG", "changes class ids"), (".tif", "is not read")]
)
def test_files_that_cannot_be_label_maps_are_named(tmp_path: Path, maps: Path, end: str, why: str) -> None:
    Image.fromarray(IDS).save(maps / f"x{end}")
    with pytest.raises(UserError, match=rf"no label map.*; x\{end} is there, which {why}\. Save the ids as PNG or"):
        importer(tmp_path).prepare([record(tmp_path)], Runtime())


def test_the_image_itself_is_not_its_map(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "images" / "x.jpeg")
    with pytest.raises(UserError, match=r"count them as background: --set masks\.options\.missing=empty"):
        importer(tmp_path, folder=str(tmp_path)).prepare([record(tmp_path)], Runtime())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"pattern": "{path}.jpg"},
            r"pattern = '{path}\.jpg': expected {path} or {name}, and an end in \.png",
        ),
        ({"pattern": "all.png"}, r"pattern = 'all\.png': expected {path}"),
        ({"pattern": "{stem}.png"}, r"pattern = '{stem}\.png': expected {path}"),
        ({"channel": "grey"}, "channel = 'grey': expected one of red, green, blue"),
        ({"threshold": 1.0}, r"threshold = 1\.0: expected a number in \(0, 1\)"),
        ({"fit": "cropped"}, "fit = 'cropped': expected one of shape, stretched, letterboxed, padded"),
        ({"ignore": "255"}, r"ignore = '255': expected a list, e.g. \[1, 2\]"),
    ],
)
def test_options_out_of_range(tmp_path: Path, option: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        importer(tmp_path, **option)


@pytest.mark.parametrize("ignore", [255, [255], [-1, 255]])
def test_values_without_a_class(tmp_path: Path, maps: Path, ignore: object) -> None:
    np.save(maps / "x.npy", np.where(IDS == 3, 255, IDS))
    labeler = importer(tmp_path, ignore=ignore)
    (found,) = labeler.label([record(tmp_path)], [IMAGE])
    assert np.array_equal(found.mask, np.where(IDS == 3, 0, labeler.lookup[IDS]))


def test_maps_of_one_size(tmp_path: Path, maps: Path) -> None:
    Image.fromarray(IDS).resize((64, 64), Image.Resampling.NEAREST).save(maps / "x.png")
    with pytest.raises(UserError, match=r"another shape.*--set masks\.options\.fit=stretched"):
        importer(tmp_path).label([record(tmp_path)], [IMAGE])
    labeler = importer(tmp_path, fit="stretched")
    assert np.array_equal(labeler.label([record(tmp_path)], [IMAGE])[0].mask, labeler.lookup[IDS])


def test_a_run_without_the_options_stays_fresh(tmp_path: Path) -> None:
    """Its fingerprint is the one that it had before the options were there."""
    plain = {"folder": str(tmp_path / "maps"), "table": "lip20", "hands": "lower_arm", "missing": "error"}
    assert importer(tmp_path).describe() == {"name": "import", "version": 1, "options": plain, "weights": None}
    assert importer(tmp_path, fit="shape", ignore=[]).describe() == importer(tmp_path).describe()
    changed = importer(tmp_path, fit="padded").describe()["options"]
    assert changed == {**plain, "fit": "padded"}


def test_two_images_with_one_map_are_named(tmp_path: Path, maps: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray(IDS).save(maps / "x.png")
    importer(tmp_path).prepare([record(tmp_path), record(tmp_path)], Runtime())
    assert not caplog.messages
    importer(tmp_path).prepare([record(tmp_path), record(tmp_path, "x.png")], Runtime())
    assert re.search(r"x\.jpeg and .*x\.png have the same label map, .*maps/images/x\.png", caplog.messages[0])


def test_a_palette_too_small_for_the_table_is_warned_of(
    tmp_path: Path, maps: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Pillow saves a palette of 16 colours with 4 bits, and of every id its lower 4: 16 -> 0, 18 -> 2."""
    image = Image.fromarray(np.full((6, 4), 18, np.uint8), mode="P")
    for colours, warned in ((16, True), (256, False)):
        image.putpalette([7] * 3 * colours)
        image.save(maps / "x.png")
        caplog.clear()
        importer(tmp_path).prepare([record(tmp_path)], Runtime())
        assert any("4 bits hold 0 to 15, it goes to 19" in line for line in caplog.messages) == warned


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pattern={path}_seg.npy", "{path}_seg.npy"),
        ("pattern={path}..png", "{path}..png"),
        ("ignore=255", 255),
        ("ignore=-1", -1),
        ("ignore=[-1,255]", [-1, 255]),
        ("channel=red", "red"),
        ("fit=letterboxed", "letterboxed"),
    ],
)
def test_options_as_messages_and_pages_print_them(tmp_path: Path, text: str, value: object) -> None:
    options = load_config("demo", (f"masks.options.{text}",)).masks.options
    assert options == {text.partition("=")[0]: value}
    importer(tmp_path, **options)
