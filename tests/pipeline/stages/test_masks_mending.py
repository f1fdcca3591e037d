"""Marks and mended masks in the masks stage: what is written again, what trains, and that everything comes back."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mask_runs import SIZE, Recorder, make_config, make_dataset, tree
from PIL import Image

from pipeline.errors import LostFile, UserError
from pipeline.io.files import write_text
from pipeline.reports.labels.page import LabelsPageOptions, write_labels_page
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.shards import format as shard_format
from pipeline.shards.dataset import ShardDataset
from pipeline.shards.format import ShardReader
from pipeline.shards.index import read_index, verify_shards
from pipeline.stages import driver, masks
from pipeline.tools.label_export import export_labels
from sorn.parts import FOOT, HEAD, UPPER_LEG
from sorn.sample import Status

pytestmark = pytest.mark.usefixtures("mine")
STAGES: dict[str, Any] = {"data": masks, "masks": masks}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A dataset whose data stage is fresh: 25 training images in shards of ten."""
    monkeypatch.setattr(driver, "_require_fresh_input", lambda *_: None)
    return make_dataset(tmp_path)


def label(paths: Paths, **options: Any) -> Path:
    driver.execute(STAGES, "masks", Run.of(make_config(**options), paths))
    verify_shards(paths.shard_index)
    return paths.folder("masks")


def marks(paths: Paths, text: str) -> str:
    file = paths.runs.parent / "marks.csv"
    write_text(file, text)
    return str(file)


def inodes(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_ino for path in folder.rglob("shard-*.h5")}


def status(paths: Paths, number: int) -> Status:
    return Status(ShardDataset(paths.shard_index, "train").status[number])


def test_marked_images_train_no_parts_and_are_named(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    folder = label(paths)
    before, made = inodes(folder), masks.provides(Run.of(make_config(), paths))
    file = marks(paths, "path,reason\ntrain/003.png,outline\ntrain/007.png,\ntrain/gone.png,outline\n")
    label(paths, leave_out=file)
    out = capsys.readouterr().out
    assert f"2 images of {file} are left out of the segmentation loss: 1 outline, 1 marked" in out
    assert f"1 marks of {file} name no labelled image, and change nothing: train/gone.png" in out
    data = ShardDataset(paths.shard_index, "train")
    assert np.flatnonzero(~data.labelled).tolist() == [3, 7] and len(data) == 25
    assert data[3].mask.any(), "the mask can still be looked at"
    changed = {name for name, inode in inodes(folder).items() if inode != before[name]}
    assert changed == {"train/shard-00000.h5"}
    now = masks.provides(Run.of(make_config(), paths))
    assert {split for split in now if now[split] != made[split]} == {"train"}, "the training is stale, nothing else"
    text = paths.label_report_md.read_text()
    assert "Marked, and left out of the segmentation loss: 1 outline, 1 marked." in text
    assert "1 marks name no labelled image" in text and "left out: `train/003.png`, `train/007.png`" in text


def test_taking_marks_back_gives_the_same_bytes(paths: Paths) -> None:
    whole = tree(label(paths))
    label(paths, leave_out=marks(paths, "path,reason\ntrain/003.png,outline\n"))
    assert tree(paths.folder("masks")) != whole
    label(paths)
    again = tree(paths.folder("masks"))
    assert {name for name in whole if again[name] != whole[name]} <= {"stamp.json"}


def test_marks_label_nothing_again(paths: Paths, recorder: type[Recorder]) -> None:
    label(paths)
    Recorder.asked = []
    label(paths, leave_out=marks(paths, "path,reason\ntrain/003.png,x\n"))
    assert Recorder.asked == []
    before = inodes(paths.folder("masks"))
    driver.execute(
        STAGES, "masks", Run.of(make_config(leave_out=marks(paths, "path,reason\ntrain/003.png,x\n")), paths)
    )
    assert inodes(paths.folder("masks")) == before, "the same marks are fresh"


def test_fresh_labels_with_marks_are_those_that_were_marked_later(paths: Paths, tmp_path: Path) -> None:
    file = marks(paths, "path,reason\ntrain/003.png,x\n")
    label(paths)
    label(paths, leave_out=file)
    other = dataclasses.replace(paths, runs=tmp_path / "other")
    os.rename(paths.runs / "mine", tmp_path / "kept")
    other.runs.mkdir()
    os.rename(tmp_path / "kept", other.runs / "mine")
    label(other, leave_out=file)
    one, two = (tree(found.folder("masks")) for found in (paths, other))
    assert {name for name in one if one[name] != two[name]} <= {"stamp.json"}


@pytest.mark.parametrize("kind", ["png", "coco"])
def test_exported_masks_come_back_bit_for_bit(paths: Paths, tmp_path: Path, kind: str) -> None:
    folder = label(paths)
    before, made = inodes(folder), masks.provides(Run.of(make_config(), paths))
    out = export_labels(paths.run_name, paths.runs, kind, None, tmp_path / "out")
    label(paths, overrides=str(out))
    assert masks.provides(Run.of(make_config(), paths)) == made and inodes(folder) == before


def test_the_files_of_an_export(paths: Paths, tmp_path: Path) -> None:
    label(paths)
    out = export_labels(paths.run_name, paths.runs, "png", None, tmp_path / "out")
    exported = Image.open(out / "SegmentationClass" / "train" / "007.png")
    assert (exported.mode, len(exported.getpalette() or [])) == ("P", 768)
    assert np.array_equal(np.asarray(exported), ShardDataset(paths.shard_index, "train")[7].mask)
    assert (out / "labelmap.txt").read_text().splitlines()[2] == "head:240,228,66::"
    assert len((out / "ImageSets" / "Segmentation" / "default.txt").read_text().split()) == 25
    only = marks(paths, "path,reason\ntrain/003.png,outline\n")
    some = export_labels(paths.run_name, paths.runs, "coco", Path(only), tmp_path / "some")
    assert [path.name for path in (some / "JPEGImages").rglob("*.png")] == ["003.png"]
    with pytest.raises(UserError, match=r"has no label to export among the images of .*marks\.csv"):
        export_labels(paths.run_name, paths.runs, "png", Path(marks(paths, "path,reason\nx,y\n")), None)


def test_an_export_replaces_no_mask_that_was_drawn(paths: Paths, tmp_path: Path) -> None:
    label(paths)
    out = export_labels(paths.run_name, paths.runs, "png", None, tmp_path / "out")
    exported = tree(out)
    (out / "SegmentationClass" / "train" / "009.png").unlink()
    export_labels(paths.run_name, paths.runs, "png", None, out)
    assert tree(out) == exported, "a killed export is completed"
    drawn = out / "SegmentationClass" / "train" / "003.png"
    Image.fromarray(np.full(SIZE, FOOT, np.uint8)).save(drawn)
    before = tree(out)
    with pytest.raises(UserError, match=r"out holds 1 masks that are not the labels: train/003\.png.* --out FOLDER"):
        export_labels(paths.run_name, paths.runs, "png", None, out)
    with pytest.raises(UserError, match=r"out holds 'SegmentationClass', of an export of another kind"):
        export_labels(paths.run_name, paths.runs, "coco", None, out)
    assert tree(out) == before
    coco = export_labels(paths.run_name, paths.runs, "coco", None, tmp_path / "coco")
    only = Path(marks(paths, "path,reason\ntrain/003.png,outline\n"))
    with pytest.raises(UserError, match=r"coco holds an 'annotations\.json' with other masks"):
        export_labels(paths.run_name, paths.runs, "coco", only, coco)
    assert tree(export_labels(paths.run_name, paths.runs, "coco", None, coco)) == tree(coco)


def test_masks_of_both_kinds_are_refused(paths: Paths, tmp_path: Path) -> None:
    label(paths)
    out = export_labels(paths.run_name, paths.runs, "png", None, tmp_path / "out")
    coco = export_labels(paths.run_name, paths.runs, "coco", None, tmp_path / "coco")
    os.rename(coco / "annotations.json", out / "annotations.json")
    with pytest.raises(UserError, match=r"both in annotations\.json and in SegmentationClass"):
        label(paths, overrides=str(out))


def test_polygons_replace_a_mask(paths: Paths, tmp_path: Path) -> None:
    label(paths)
    shape = {"image_id": 1, "category_id": 3, "segmentation": [[0, 0, SIZE[1], 0, SIZE[1], 15, 0, 15]]}
    document: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "train/004.png", "height": SIZE[0], "width": SIZE[1]}],
        "annotations": [shape],
        "categories": [{"id": 3, "name": "Upper_Leg"}],
    }
    file = tmp_path / "mended.json"
    write_text(file, json.dumps(document))
    label(paths, overrides=str(file))
    mask = ShardDataset(paths.shard_index, "train")[4].mask
    assert (mask[:16] == UPPER_LEG).all() and (mask[16:] == 0).all()
    document["categories"][0]["name"] = "skirt"
    write_text(file, json.dumps(document))
    with pytest.raises(
        UserError, match=r"mended\.json has the category 'skirt', which is no body part\. Known: backgr"
    ):
        label(paths, overrides=str(file))
    document["categories"][0]["name"], shape["segmentation"] = "foot", [[1, 2, 3]]
    write_text(file, json.dumps(document))
    with pytest.raises(
        UserError, match=r"an annotation of foot in 'train/004\.png' is damaged: a polygon of 3 numbers"
    ):
        label(paths, overrides=str(file))


@pytest.mark.parametrize("coloured", [False, True])
def test_a_mended_mask_replaces_the_labelers(paths: Paths, tmp_path: Path, coloured: bool) -> None:
    folder = label(paths)
    before, whole = inodes(folder), tree(folder)
    out = export_labels(paths.run_name, paths.runs, "png", None, tmp_path / "out")
    file = out / "SegmentationClass" / "train" / "012.png"
    mended = np.full(SIZE, FOOT, np.uint8)
    mended[:5] = HEAD
    with Image.open(file) as image:
        image = image.copy()
    image.putdata(mended.ravel().tolist())
    (image.convert("RGB") if coloured else image).save(file)
    label(paths, overrides=str(out))
    sample = ShardDataset(paths.shard_index, "train")[12]
    assert np.array_equal(sample.mask, mended) and sample.status == Status.OK
    changed = {name for name, inode in inodes(folder).items() if inode != before[name]}
    assert changed == {"train/shard-00001.h5"}
    assert ShardReader(paths.shard("train", 1)).change(2).mended
    label(paths)
    again = tree(folder)
    assert {name for name in whole if again[name] != whole[name]} <= {"stamp.json"}


def test_an_emptied_mask_is_no_label(paths: Paths, tmp_path: Path) -> None:
    label(paths)
    (tmp_path / "mended" / "train").mkdir(parents=True)
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "mended" / "train" / "000.png.png")
    label(paths, overrides=str(tmp_path / "mended"), leave_out=marks(paths, "path,reason\ntrain/001.png,x\n"))
    assert (status(paths, 0), status(paths, 1), status(paths, 2)) == (Status.EMPTY, Status.LEFT_OUT, Status.OK)


def test_a_kill_leaves_the_former_labels(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    label(paths)
    whole = {name: content for name, content in tree(paths.folder("masks")).items() if not name.endswith(".lock")}
    file = marks(paths, "path,reason\ntrain/003.png,x\ntrain/013.png,x\n")
    publish, published = shard_format.publish, []

    def killed(temporary: Path, path: Path) -> None:
        if published:
            raise KeyboardInterrupt
        published.append(path)
        publish(temporary, path)

    with monkeypatch.context() as patch:
        patch.setattr(shard_format, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            label(paths, leave_out=file)
    left = tree(paths.folder("masks"))
    assert {name: left[name] for name in whole} == whole
    label(paths, leave_out=file)
    assert (status(paths, 3), status(paths, 13)) == (Status.LEFT_OUT, Status.LEFT_OUT)
    assert not (paths.folder("masks") / "next").exists()


def test_what_cannot_be_used(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(LostFile, match=r"masks\.leave_out = gone\.csv: no such file"):
        label(paths, leave_out="gone.csv")
    with pytest.raises(UserError, match=r"marks\.csv has no column reason; it has path"):
        label(paths, leave_out=marks(paths, "path\ntrain/003.png\n"))
    with pytest.raises(LostFile, match=r"masks\.overrides = gone: no such folder"):
        label(paths, overrides="gone")
    other = tmp_path / "other" / "train"
    other.mkdir(parents=True)
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(other / "x.png")
    with pytest.raises(UserError, match=r"holds no mask of a labelled image, among 1 masks"):
        label(paths, overrides=str(other.parent))
    Image.fromarray(np.full(SIZE, 8, np.uint8)).save(other / "000.png")
    with pytest.raises(UserError, match=r"mended mask .*000\.png holds the value 8.* sorn masks export RUN"):
        label(paths, overrides=str(other.parent))
    Image.fromarray(np.full((*SIZE, 3), 9, np.uint8)).save(other / "000.png")
    with pytest.raises(UserError, match=r"has the colour #090909, which is no part's"):
        label(paths, overrides=str(other.parent))


def test_the_page_begins_with_the_images_that_are_left_out(paths: Paths) -> None:
    label(paths, leave_out=marks(paths, "path,reason\ntrain/003.png,outline\n"))
    index = write_labels_page([paths.run_name], paths.runs, paths.data_root, LabelsPageOptions(workers=1))
    assert '"marks":[[3,"left out before"]]' in (index.parent / "data.js").read_text()
    assert read_index(paths.shard_index).labels != ""
