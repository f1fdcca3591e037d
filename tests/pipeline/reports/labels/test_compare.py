"""Two labelers compared: images matched by name, numbers by hand, and what is no comparison at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli.app import main
from pipeline.io.files import digest_file
from pipeline.runs.made_by import MadeBy
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from sorn.parts import HEAD, TORSO
from sorn.sample import Sample, Status

SIZE = (48, 16)
TALL = (96, 32)


def sample(name: str, rows: int, status: Status = Status.OK, size: tuple[int, int] = SIZE, part: int = HEAD) -> Sample:
    """The first of 48 rows are the part; every name has an image of its own."""
    image = np.full((*size, 3), sum(name.encode()) % 251, np.uint8)
    mask = np.zeros(size, np.uint8)
    mask[: rows * size[0] // 48] = part
    return Sample(image, mask, 1, 1, name, status)


def write_run(runs: Path, name: str, samples: list[Sample]) -> Path:
    """runs/NAME/masks, as the masks stage leaves it; the labeler is what follows the last "-"."""
    folder, size = runs / name / "masks", samples[0].mask.shape
    labeler = {"name": name.rpartition("-")[2], "version": 1, "options": {}, "weights": None}
    file = folder / "train" / "shard-00000.h5"
    with ShardWriter(file, len(samples), size, name, labeler) as writer:
        for item in samples:
            writer.append(item)
    content = writer.content
    entry = ShardEntry("train/shard-00000.h5", "train", len(samples), content.digest, digest_file(file))
    split = SplitEntry(len(samples), content.digest, content.detection_digest, dict(content.status), 0.5)
    write_index(
        folder / "index.json", ShardIndex(name, MadeBy.of(labeler), None, size, (1,), {"train": split}, (entry,))
    )
    return folder


def compare(runs: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["masks", "compare", *words, "--runs", str(runs)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two labelers: c is empty in one and ok in the other, d was not labelled in one, x and y are in one only."""
    ours = [sample("train/a.jpg", 48), sample("train/b.jpg", 16), sample("train/c.jpg", 0, Status.EMPTY)]
    ours += [sample("train/d.jpg", 48, Status.UNLABELED), sample("train/x.jpg", 16)]
    theirs = [sample("train/a.jpg", 48), sample("train/b.jpg", 32), sample("train/c.jpg", 48)]
    theirs += [sample("train/d.jpg", 48), sample("train/y.jpg", 16)]
    write_run(tmp_path, "mine-danet", ours)
    write_run(tmp_path, "mine-import", theirs)
    return tmp_path


def test_numbers_by_hand(runs: Path) -> None:
    out = compare(runs, "mine-danet", "mine-import")
    written = json.loads((runs / "compare-mine-danet-mine-import" / "comparison.json").read_text())
    assert written["images"] == 4 and written["agreement"]["images"] == 3
    # Of 3 x 48 rows: head in both 48 + 16 + 0, in one more 16 + 48; background in both 16.
    iou = written["agreement"]["iou"]
    assert (iou["head"], iou["background"], iou["foot"]) == (pytest.approx(64 / 128), pytest.approx(16 / 80), None)
    assert written["agreement"]["pixel_accuracy"] == pytest.approx(80 / 144)
    stripes = written["agreement"]["stripes"]  # three per image: a agrees on all, b on two, c on none
    assert stripes["agreement"] == pytest.approx(5 / 9)
    assert stripes["per_stripe"] == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert (stripes["said_hidden"], stripes["said_visible"]) == (pytest.approx(4 / 9), 0)
    assert written["status"] == {"ok": {"ok": 2}, "empty": {"ok": 1}, "unlabeled": {"ok": 1}}
    assert [item["name"] for item in written["worst"]] == ["train/c.jpg", "train/b.jpg"]
    assert written["only_in_a"] == {"images": 1, "named": ["train/x.jpg"]}
    assert written["only_in_b"] == {"images": 1, "named": ["train/y.jpg"]}
    for words in (
        "only in A: 1 images, first train/x.jpg",
        "labelled in both: 3 images; mIoU 35.0 %",
        "55.6 % of the stripes are visible or hidden in both; visible in A only 0.0 %, in B only 44.4 %",
        "1 images are empty in A and ok in B",
        "agree least: train/c.jpg, train/b.jpg",
    ):
        assert words in out


def test_the_text_and_the_picture(runs: Path) -> None:
    compare(runs, "mine-danet", "mine-import", "--out", str(runs / "here"))
    text = (runs / "here" / "comparison.md").read_text()
    assert text.startswith("# Two labelers: mine-danet (A) and mine-import (B)")
    assert "| mine-danet, mine-import | 66.7 | 33.3 | 66.7 | 55.6 | 44.4 | 0.0 |" in text
    assert "| ok | 2 |" in text and "| `train/c.jpg` | 0.0 | 0.0 |" in text and "![A and B](comparison.png)" in text
    Image.open(runs / "here" / "comparison.png").verify()
    assert not (runs / "compare-mine-danet-mine-import").exists()


def test_options_of_matching_are_taken(runs: Path) -> None:
    compare(runs, "mine-danet", "mine-import", "--set", "model.stripes=1", "--set", "eval.tau=0.5")
    written = json.loads((runs / "compare-mine-danet-mine-import" / "comparison.json").read_text())
    stripes = written["agreement"]["stripes"]  # shares of a: 1, 1; of b: 1/3, 2/3; of c: 0, 1
    assert (stripes["count"], stripes["tau"], stripes["agreement"]) == (1, 0.5, pytest.approx(1 / 3))


def test_labels_are_found_by_run_folder_or_file(runs: Path) -> None:
    folder = runs / "mine-danet" / "masks"
    for given in (str(folder), str(folder / "index.json"), str(folder.parent)):
        assert "A: mine-danet, 5 images" in compare(runs, given, "mine-import")
    out = compare(runs, "mine-danett", "mine-import", code=1)
    assert "no labels of 'mine-danett'" in out and "Runs with labels: mine-danet, mine-import." in out


def test_masks_of_another_size_are_resized(runs: Path) -> None:
    write_run(runs, "tall-import", [sample("train/a.jpg", 48, size=TALL), sample("train/b.jpg", 16, size=TALL)])
    compare(runs, "mine-danet", "tall-import", "--out", str(runs / "here"))
    written = json.loads((runs / "here" / "comparison.json").read_text())
    assert written["agreement"]["mIoU"] == 1 and written["worst"] == []
    text = (runs / "here" / "comparison.md").read_text()
    assert "the masks of B (96x32) are resized to those of A (48x16)" in text and "Least agreement" not in text


def test_equal_names_of_other_images_are_refused(runs: Path) -> None:
    changed = sample("train/a.jpg", 48)
    for other in (dataclasses.replace(changed, pid=2), dataclasses.replace(changed, image=changed.image + 1)):
        write_run(runs, "other-danet", [other])
        out = compare(runs, "mine-danet", "other-danet", code=1)
        assert "not labels of the same dataset: 'train/a.jpg' is another image in both" in out
    write_run(runs, "other-danet", [sample("train/z.jpg", 48)])
    assert "no image has the same name" in compare(runs, "mine-danet", "other-danet", code=1)


def test_what_nobody_labelled_is_refused(runs: Path) -> None:
    write_run(runs, "mine-none", [sample("train/a.jpg", 0, Status.UNLABELED, part=TORSO)])
    out = compare(runs, "mine-danet", "mine-none", code=1)
    assert "no image was labelled in both 'mine-danet' and 'mine-none'" in out and "masks.splits" in out


def test_options_of_the_stage_are_not_ignored() -> None:
    result = CliRunner().invoke(main, ["masks", "--runs", "elsewhere", "compare", "a", "b"])
    assert result.exit_code == 1 and "Put its options after it; see: sorn masks compare --help" in result.output
