"""The labels page: its columns by hand, its sheets pixel by pixel, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from label_runs import SIZE, sample, write_exact, write_labels
from PIL import Image

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.reports.labels import page
from pipeline.reports.labels.page import LabelsPageOptions, write_labels_page
from pipeline.reports.sheets import COLUMNS, SHEET
from pipeline.runs.layout import Paths
from sorn.parts import COLOURS, FOOT, HEAD, TORSO
from sorn.sample import Sample, Status

HOSTILE = 'train/</script><b>"\u2028é.jpg'
OURS = [
    sample("train/a.jpg", 96),
    sample("train/b.jpg", 48, Status.SEVERAL_PEOPLE, pid=7, camid=2),
    sample("train/c.jpg", 0, Status.EMPTY, pid=12),
    sample("train/d.jpg", 96, Status.UNLABELED),
    sample(HOSTILE, 24, part=FOOT),
]
QUERY = [sample("query/q.jpg", 0, Status.UNLABELED)]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths("synped", "danet", tmp_path / "data", tmp_path / "runs")
    write_labels(paths, OURS + QUERY)
    return paths


def write(paths: Paths, *others: Paths, **options: Any) -> dict[str, Any]:
    """Columns of the page, as the browser reads them."""
    given = [one.run_name for one in (paths, *others)]
    index = write_labels_page(given, paths.runs, paths.data_root, LabelsPageOptions(workers=1, **options))
    assert index.is_file()
    return data(index.parent)


def data(folder: Path) -> dict[str, Any]:
    script = (folder / "data.js").read_text()
    columns: dict[str, Any] = json.loads(script.removeprefix("const LABELS = ").removesuffix(";\n"))
    return columns


def other_labels(paths: Paths, *samples: Sample) -> Paths:
    other = dataclasses.replace(paths, labeler="import")
    write_labels(other, samples)
    write_labels(paths, OURS + QUERY)  # both have the same records
    return other


def test_the_columns_of_one_run(paths: Paths) -> None:
    columns = write(paths)
    assert columns["names"] == [item.name for item in OURS], "a split without labels is left out"
    (layer,) = columns["layers"]
    assert [columns["statuses"][status] for status in layer["status"]] == [
        "ok",
        "several people",
        "empty",
        "unlabeled",
        "ok",
    ]
    assert layer["foreground"] == [1000, 500, 0, -1, 250] and layer["parts"] == [1, 1, 0, -1, 1 << (FOOT - 1)]
    assert [columns["persons"][person] for person in columns["person"]] == ["1", "7", "12", "1", "1"]
    assert [columns["cameras"][camera] for camera in columns["camera"]] == ["1", "2", "1", "1", "1"]
    assert columns["pairs"] == [] and columns["marks"] == []


def test_two_runs_side_by_side(paths: Paths, tmp_path: Path) -> None:
    theirs = [sample("train/a.jpg", 48), sample("train/b.jpg", 48, pid=7, camid=2), sample("train/c.jpg", 96, pid=12)]
    columns = write(paths, other_labels(paths, *theirs), out=tmp_path / "seen")
    assert columns["names"] == ["train/a.jpg", "train/b.jpg", "train/c.jpg"]
    assert [layer["title"] for layer in columns["layers"]] == ["danet", "import"]
    (pair,) = columns["pairs"]
    # a: head 48 of 96 rows, background 0 of 48; c: neither agrees. Of 6 stripes the lower three differ in a, all in c.
    assert pair["iou"] == [250, 1000, 0] and pair["stripes"] == [3, 6, 0] and columns["stripes"] == 6
    assert "2 images are in one of the two runs alone" in (tmp_path / "seen" / "index.html").read_text()


def test_ground_truth_is_a_layer_of_its_own(paths: Paths) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[:48] = HEAD
    write_exact(paths, "train/a.jpg", mask)
    columns = write(paths)
    layer = columns["layers"][1]
    assert (layer["title"], layer["status"]) == ("ground truth", None)
    assert layer["foreground"] == [500, -1, -1, -1, -1]
    assert columns["pairs"][0]["iou"] == [250, -1, -1, -1, -1]


def test_every_thumbnail_is_at_its_place(paths: Paths) -> None:
    many = [sample(f"train/{number:03d}.jpg", number % 97, part=TORSO) for number in range(SHEET + 3)]
    write_labels(paths, many, shard_images=20)
    columns = write(paths, height=48)
    sheet = {"columns": COLUMNS, "rows": SHEET // COLUMNS, "width": 16, "height": 48}
    assert columns["sheet"] == sheet
    folder = paths.runs / "labels-synped-danet" / "sheets"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("a-00000.png", "a-00001.png"),
        *("image-00000.jpg", "image-00001.jpg"),
    ]
    for number in (0, COLUMNS + 1, SHEET - 1, SHEET + 2):
        place = number % SHEET
        left, top = place % COLUMNS * 16, place // COLUMNS * 48
        box = (left, top, left + 16, top + 48)
        image = Image.open(folder / f"image-{number // SHEET:05d}.jpg").crop(box)
        middle = np.asarray(image)[16:32, 6:10].mean(axis=(0, 1))  # at its edges JPEG mixes neighbours
        assert np.abs(middle - many[number].image[0, 0]).max() < 4
        sheet_of_masks = Image.open(folder / f"a-{number // SHEET:05d}.png")
        mask = np.asarray(sheet_of_masks.crop(box))
        assert np.array_equal(mask, many[number].mask[1::2, 1::2])
        assert sheet_of_masks.info["transparency"] == 0
        assert sheet_of_masks.getpalette()[3 * TORSO : 3 * TORSO + 3] == COLOURS[TORSO].tolist()


def test_names_are_never_markup(paths: Paths) -> None:
    write(paths)
    folder = paths.runs / "labels-synped-danet"
    assert (folder / "data.js").read_bytes().isascii()
    assert "Labels of Mine &lt;b&gt;" in (folder / "index.html").read_text()


def test_a_page_is_whole_or_not_there(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [sample(f"train/{number:03d}.jpg", 96) for number in range(2 * SHEET)]
    write_labels(paths, many)
    write(paths)
    index = paths.runs / "labels-synped-danet" / "index.html"
    write_labels(paths, many[:5])
    with monkeypatch.context() as patch:

        def killed(*_: object) -> None:
            raise RuntimeError("killed")

        patch.setattr(page, "write_masks", killed)
        with pytest.raises(RuntimeError, match="killed"):
            write(paths)
    assert not index.exists()
    write(paths)
    assert index.exists() and len(list((index.parent / "sheets").iterdir())) == 2, "sheets of the former page are gone"


def test_what_cannot_be_shown(paths: Paths) -> None:
    unlabeled = dataclasses.replace(paths, labeler="none")
    write_labels(unlabeled, QUERY)
    with pytest.raises(UserError, match=r"no image of 'synped-none' has a label\. Label them, e\.g\. with: make masks"):
        write(unlabeled)
    other = other_labels(paths, sample("train/z.jpg", 9))
    with pytest.raises(UserError, match="not labels of the same dataset: no image has the same name"):
        write(paths, other)
    result = CliRunner().invoke(main, ["masks", "page", "synped-danett", "--runs", str(paths.runs)])
    assert result.exit_code == 1 and "there are no labels of 'synped-danett'" in result.output
