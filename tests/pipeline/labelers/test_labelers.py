"""Labelers: the masks they find, and what they say when a mask is missing, of another shape or of another tool."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.mask_files import read_label_map
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError
from pipeline.labelers.base import Source
from pipeline.runs.config import Runtime
from sorn.sample import Status

IMAGE = np.zeros((20, 10, 3), np.uint8)
COLOURS = np.arange(600, dtype=np.uint8).reshape(20, 10, 3)


def source(root: Path, masks: str = "masks/{split}/{path}.png") -> Source:
    return Source(Manifest("mine", "Mine", masks=masks), root)


def record(root: Path, name: str = "0001/a.jpg", split: str = "train") -> ImageRecord:
    return ImageRecord(f"{split}/{name}", root / "images" / name, 1, 1, split)


def save_mask(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)
    return path


def label(labeler: labelers.Labeler, item: ImageRecord, image: np.ndarray = IMAGE) -> Any:
    labeler.prepare([item], Runtime())
    (found,) = labeler.label([item], [image])
    assert found.mask.dtype == np.uint8 and found.mask.shape == image.shape[:2]
    return found


def test_names_that_are_no_labelers(tmp_path: Path) -> None:
    known = "blazepose, danet, densepose, ground_truth, import, limbs, none, torchvision"
    with pytest.raises(UserError, match=f"unknown labeler 'densepos'; known: {known}"):
        labelers.create("densepos", {}, source(tmp_path))


def test_options_that_are_unknown_or_out_of_range(tmp_path: Path) -> None:
    for name, options, message in (
        ("none", {"table": "lip20"}, r"labeler none: unknown key 'masks\.options\.table'\. Known: none\."),
        (
            "ground_truth",
            {"patern": ""},
            r"unknown key 'masks\.options\.patern'\. Did you mean pattern\?",
        ),
        ("ground_truth", {"pattern": "{stem}.png"}, "only {split} and {path} can be filled in"),
        ("ground_truth", {"pattern": 3}, r"masks\.options\.pattern = 3: expected text"),
        ("import", {"table": "lip20"}, "folder = '': expected the folder of the label maps"),
        ("import", {"folder": "x", "table": "lip20", "hands": "torso"}, "hands = 'torso': expected one of lower_arm"),
        ("import", {"folder": "x", "table": "lip20", "missing": "skip"}, "missing = 'skip': expected one of error"),
        ("import", {"folder": "x", "table": "lip21"}, "unknown class table 'lip21'"),
    ):
        with pytest.raises(UserError, match=message):
            labelers.create(name, options, source(tmp_path))


def test_ground_truth_reads_the_mask_beside_the_image(tmp_path: Path) -> None:
    values = np.repeat(np.arange(20, dtype=np.uint8)[:, None] % 8, 10, axis=1)
    palette = Image.fromarray(values, mode="P")
    palette.putpalette([7] * 768)  # colours mean nothing, the indices do
    path = tmp_path / "masks" / "train" / "0001" / "a.png"
    path.parent.mkdir(parents=True)
    palette.save(path)
    found = label(labelers.create("ground_truth", {}, source(tmp_path)), record(tmp_path))
    assert np.array_equal(found.mask, values) and found.status == Status.OK


def test_ground_truth_follows_the_pattern(tmp_path: Path) -> None:
    save_mask(tmp_path / "parts" / "train-0001" / "a.npy", np.zeros((20, 10), np.int64))
    labeler = labelers.create("ground_truth", {"pattern": "parts/{split}-{path}.npy"}, source(tmp_path))
    assert label(labeler, record(tmp_path)).status == Status.EMPTY
    by_manifest = labelers.create("ground_truth", {}, source(tmp_path, "parts/{split}-{path}.npy"))
    assert by_manifest.describe() == labeler.describe()
    assert labeler.describe()["options"] == {"pattern": "parts/{split}-{path}.npy"}


def test_ground_truth_counts_the_masks_that_are_missing(tmp_path: Path) -> None:
    save_mask(tmp_path / "masks" / "train" / "0001" / "a.png", np.zeros((20, 10), np.uint8))
    labeler = labelers.create("ground_truth", {}, source(tmp_path))
    with pytest.raises(UserError, match=r"1 of 2 images of mine have no mask, first .*masks/train/0001/b\.png"):
        labeler.prepare([record(tmp_path), record(tmp_path, "0001/b.jpg")], Runtime())


@pytest.mark.parametrize("place", ["images/0001/a.png", "images/0001/a.npy", "train/0001/a.png"])
def test_import_finds_maps_by_the_image_path_or_by_its_name(tmp_path: Path, place: str) -> None:
    values = np.array([[0, 13], [5, 9], [16, 18], [3, 14]] * 5, np.uint8).repeat(5, axis=1)
    save_mask(tmp_path / "maps" / place, values)
    options = {"folder": str(tmp_path / "maps"), "table": "lip20"}
    found = label(labelers.create("import", options, source(tmp_path)), record(tmp_path))
    assert found.mask[:4, ::5].tolist() == [[0, 1], [2, 5], [6, 7], [4, 4]]
    options["hands"] = "background"
    found = label(labelers.create("import", options, source(tmp_path)), record(tmp_path))
    assert found.mask[3, ::5].tolist() == [0, 4]


def test_import_resizes_a_map_of_the_same_shape(tmp_path: Path) -> None:
    save_mask(tmp_path / "maps" / "train" / "0001" / "a.png", np.repeat([[1], [2]], 5, axis=1).astype(np.uint8))
    options = {"folder": str(tmp_path / "maps"), "table": "sorn8"}
    with pytest.raises(UserError, match=r"a\.png is 5x2 pixels and its image 10x20: another shape"):
        label(labelers.create("import", options, source(tmp_path)), record(tmp_path))
    large = np.repeat([[1], [2]], 20, axis=0).repeat(20, axis=1).astype(np.uint8)
    save_mask(tmp_path / "maps" / "train" / "0001" / "a.png", large)
    found = label(labelers.create("import", options, source(tmp_path)), record(tmp_path))
    assert (found.mask[:10] == 1).all() and (found.mask[10:] == 2).all()


def test_import_refuses_values_and_files_of_another_kind(tmp_path: Path) -> None:
    options = {"folder": str(tmp_path), "table": "pascal_person_part7"}
    labeler = labelers.create("import", options, source(tmp_path))
    path = tmp_path / "train" / "0001" / "a.png"
    for values, message in (
        (np.full((20, 10), 7, np.uint8), r"a\.png holds the value 7, which class table pascal_person_part7"),
        (COLOURS, r"a\.png is no label map but uint8 of shape \(20, 10, 3\)"),
    ):
        save_mask(path, values)
        with pytest.raises(UserError, match=message):
            label(labeler, record(tmp_path))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=r"mask .*a\.png cannot be read"):
        label(labeler, record(tmp_path))
    path.unlink()
    for array, message in (
        (np.full((20, 10), -1, np.int16), r"a\.npy holds the value -1"),
        (np.full((20, 10), 0.5, np.float32), r"a\.npy holds the number 0\.5, which is no class id"),
        (np.full((20, 10), {}, object), r"a\.npy cannot be read: it is no array: .*Python objects"),
        (np.zeros((20, 0), np.uint8), r"a\.npy is no label map but uint8 of shape \(20, 0\)"),
    ):
        np.save(path.with_suffix(".npy"), array, allow_pickle=True)
        with pytest.raises(UserError, match=message):
            label(labeler, record(tmp_path))


def test_label_maps_hold_what_is_stored(tmp_path: Path, make_png) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 300], [65535, 7]], np.uint16)).save(path)
    assert read_label_map(path).tolist() == [[0, 300], [65535, 7]]
    Image.fromarray(np.array([[True, False]])).save(path)
    assert read_label_map(path).tolist() == [[1, 0]]
    for bits, row, stored in ((2, b"\x1b", [0, 1, 2, 3]), (4, b"\x07\x0e", [0, 7, 0, 14])):  # Pillow gives 85, 17 ...
        make_png(path, (4, 1), [row], bits=bits)
        assert read_label_map(path).tolist() == [stored]
    passes = [b"\1", b"\2", b"\3\4", b"\5\6", b"\7\1"]  # Adam7 of a 4 x 4 image, up to its last pass
    make_png(path, (4, 4), [*passes, b"\2\3\4\5", b"\6\7\1\2"], interlaced=True)
    assert read_label_map(path).tolist() == [[1, 5, 2, 6], [2, 3, 4, 5], [3, 7, 4, 1], [6, 7, 1, 2]]
    np.save(tmp_path / "a.npy", np.array([[1, 2]], ">i4"))
    assert read_label_map(tmp_path / "a.npy").tolist() == [[1, 2]]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest undoes the filter of pixels.py
def test_label_maps_that_are_none(tmp_path: Path, make_png) -> None:
    path, array = tmp_path / "a.png", tmp_path / "a.npy"

    def refused(path: Path, message: str) -> None:
        with pytest.raises(UserError, match=rf"mask {path} {message}"):
            read_label_map(path)

    Image.new("RGB", (4, 2), (1, 2, 3)).save(path)
    refused(path, r"is no label map but uint8 of shape \(2, 4, 3\)")
    make_png(path, (10000, 9000), [bytes(3000)])
    refused(path, "cannot be read: it has 10000 x 9000 pixels")
    array.write_bytes(pickle.dumps([1]))
    refused(array, "cannot be read: it is no array: This file contains pickled .object. data. Write it again")
    with open(array, "wb") as file:
        header = {"descr": "<i8", "fortran_order": False, "shape": (10**6, 10**6)}
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]
    refused(array, "cannot be read: it is no array: mmap length is greater than file size")
    with open(array, "wb") as file:
        np.savez(file, a=np.zeros((2, 4)))
    refused(array, "cannot be read: it is an archive of arrays")


def test_a_single_pixel_is_labelled(tmp_path: Path) -> None:
    save_mask(tmp_path / "masks" / "train" / "0001" / "a.png", np.full((1, 1), 3, np.uint8))
    pixel = np.zeros((1, 1, 3), np.uint8)
    exact = labelers.create("ground_truth", {}, source(tmp_path))
    imported = labelers.create("import", {"folder": str(tmp_path / "masks"), "table": "sorn8"}, source(tmp_path))
    for labeler in (exact, imported):
        assert label(labeler, record(tmp_path), pixel).mask.tolist() == [[3]]


def test_import_of_missing_maps(tmp_path: Path) -> None:
    save_mask(tmp_path / "maps" / "train" / "0001" / "a.png", np.ones((20, 10), np.uint8))
    records = [record(tmp_path), record(tmp_path, "0001/b.jpg")]
    options = {"folder": str(tmp_path / "maps"), "table": "sorn8"}
    with pytest.raises(UserError, match=r"1 of 2 images have no label map, first .*b\.jpg: no .*train/0001/b\.png"):
        labelers.create("import", options, source(tmp_path)).prepare(records, Runtime())
    lenient = labelers.create("import", {**options, "missing": "empty"}, source(tmp_path))
    lenient.prepare(records, Runtime())
    assert [found.status for found in lenient.label(records, [IMAGE, IMAGE])] == [Status.OK, Status.EMPTY]
    with pytest.raises(UserError, match="1 of 1 images have no label map"):
        lenient.prepare(records[1:], Runtime())
    with pytest.raises(UserError, match="there is no folder 'nowhere'"):
        labelers.create("import", {**options, "folder": "nowhere"}, source(tmp_path)).prepare(records, Runtime())


def test_inputs_change_with_the_masks_and_the_table(tmp_path: Path) -> None:
    path = save_mask(tmp_path / "maps" / "train" / "0001" / "a.png", np.ones((20, 10), np.uint8))
    (tmp_path / "mine.csv").write_text("value,class\n0,background\n1,head\n", encoding="utf-8")
    options = {"folder": str(tmp_path / "maps"), "table": str(tmp_path / "mine.csv")}

    def inputs() -> dict[str, str]:
        return labelers.create("import", options, source(tmp_path)).inputs([record(tmp_path)])

    before = inputs()
    assert inputs() == before
    (tmp_path / "mine.csv").write_text("value,class\n0,background\n1,foot\n", encoding="utf-8")
    assert {key for key, digest in inputs().items() if digest != before[key]} == {"class table"}
    os.utime(path, ns=(1, 1))
    assert inputs()["label maps"] == before["label maps"]
    save_mask(path, np.zeros((20, 10), np.uint8))
    assert inputs()["label maps"] != before["label maps"]


def test_none_stores_images_alone(tmp_path: Path) -> None:
    found = label(labelers.create("none", {}, source(tmp_path)), record(tmp_path))
    assert found.status == Status.UNLABELED and not found.mask.any()


def test_naming_the_labelers_imports_none_of_them() -> None:
    code = "import sys, pipeline.labelers as l; print(*[m for m in sys.modules if 'labelers.' in m or m == 'torch'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    own = ("base", "outside", "protocol_check", "registry")
    assert set(out.split()) == {f"pipeline.labelers.{name}" for name in own}


def test_label_maps_of_images_that_differ_in_their_suffix_alone(tmp_path: Path) -> None:
    records = [record(tmp_path, name) for name in ("a.jpg", "a.png", "0001.c1", "0001.c2")]
    for value, item in enumerate(records):
        save_mask(tmp_path / "maps" / "train" / f"{item.path.name}.png", np.full((20, 10), value, np.uint8))
    labeler = labelers.create("import", {"folder": str(tmp_path / "maps"), "table": "sorn8"}, source(tmp_path))
    labeler.prepare(records, Runtime())
    assert [found.mask[0, 0] for found in labeler.label(records, [IMAGE] * 4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["a.PNG", "a.Png", "a.NPY"])
def test_label_maps_with_suffixes_in_capitals(tmp_path: Path, name: str) -> None:
    made = save_mask(tmp_path / "maps" / "train" / "0001" / name.lower(), np.ones((20, 10), np.uint8))
    made.rename(made.with_name(name))
    options = {"folder": str(tmp_path / "maps"), "table": "sorn8"}
    assert label(labelers.create("import", options, source(tmp_path)), record(tmp_path)).mask.all()
