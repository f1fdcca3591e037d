"""The label report of a hand-made run: what it counts, what it holds against ground truth, what it shows."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from record_tables import table_of_pairs

from pipeline.datasets.manifest import Manifest
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import write_records
from pipeline.errors import UserError
from pipeline.io.files import digest_file, write_text
from pipeline.reports.labels import build as report
from pipeline.runs.config import Config, EvalConfig, MasksConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.made_by import MadeBy
from pipeline.runs.run import Run
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from sorn.config import SORNConfig
from sorn.parts import HEAD
from sorn.sample import Sample, Status

SIZE = (32, 16)
LABELER = {"name": "danet", "version": 1, "options": {}, "weights": "abc"}
CONFIG = Config(
    masks=MasksConfig(image_size=SIZE, splits=("train",)),
    model=SORNConfig(stripes=2),
    eval=EvalConfig(tau=0.5),
    runtime=Runtime(2),
)


def sample(name: str, rows: int, status: Status = Status.OK, people: int = -1) -> Sample:
    """An image whose first rows of 32 are head, on background."""
    image = np.full((*SIZE, 3), 200, np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    mask[:rows] = HEAD
    return Sample(image, mask, 1, 1, name, status, people)


def write_labels(paths: Paths, splits: dict[str, list[Sample]], fingerprint: str = "run") -> None:
    """Shards and index of a masks stage, and the records of the data stage."""
    shards, entries, rows = [], {}, []
    for split, samples in splits.items():
        file = paths.shard(split, 0)
        with ShardWriter(file, len(samples), SIZE, fingerprint, LABELER) as writer:
            for item in samples:
                writer.append(item)
                rows.append((ImageRecord(item.name, Path(item.name), 1, 1, split), ImageFile(1, 1, "s", 16, 32)))
        content = writer.content
        relative = file.relative_to(paths.shard_index.parent).as_posix()
        shards.append(ShardEntry(relative, split, len(samples), content.digest, digest_file(file)))
        entries[split] = SplitEntry(
            len(samples), content.digest, content.detection_digest, dict(content.status), content.foreground_share
        )
    write_index(
        paths.shard_index, ShardIndex(fingerprint, MadeBy.of(LABELER), None, SIZE, (1,), entries, tuple(shards))
    )
    write_records(paths.records, table_of_pairs(rows))
    write_text(paths.data_summary, json.dumps({"root": str(paths.data_root)}))


def write_exact(paths: Paths, name: str, mask: np.ndarray) -> None:
    path = paths.data_root / "masks" / Path(name).with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


TRAIN = [
    sample("train/a.jpg", 16, people=1),
    sample("train/b.jpg", 32, people=1),
    sample("train/c.jpg", 8, Status.SEVERAL_PEOPLE, people=3),
    sample("train/d.jpg", 0, Status.EMPTY, people=0),
    sample("train/e.jpg", 0, Status.UNREADABLE),
]
QUERY = [sample("query/a.jpg", 0, Status.UNLABELED)]


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    manifest = Manifest("mine", "Mine", notice="Withdrawn.", licence="Ask first.")
    monkeypatch.setattr("pipeline.runs.run.load_manifest", lambda dataset: manifest)
    paths = Paths("mine", "danet", tmp_path / "data", tmp_path / "runs")
    write_labels(paths, {"train": TRAIN, "query": QUERY})
    return paths


def write(paths: Paths, config: Config = CONFIG) -> dict:
    files = report.write_label_report(Run.of(config, paths))
    assert files[:2] == [paths.label_report_json, paths.label_report_md] and all(file.is_file() for file in files)
    return json.loads(paths.label_report_json.read_text())


def test_counts_by_hand(paths: Paths) -> None:
    written = write(paths)
    assert list(written["splits"]) == ["train"] and written["splits"]["train"] == written["all"]
    found = written["all"]
    assert (found["images"], found["seen"], found["exact"]) == (5, 4, None)
    assert found["status"] == {
        "ok": 2,
        "empty": 1,
        "low_resolution": 0,
        "several_people": 1,
        "unreadable": 1,
        "unlabeled": 0,
        "left_out": 0,
    }
    assert found["named"] == {
        "empty": ["train/d.jpg"],
        "several_people": ["train/c.jpg"],
        "unreadable": ["train/e.jpg"],
    }
    assert found["people"] == {"0": 1, "1": 2, "3": 1}
    assert found["foreground"]["mean"] == pytest.approx((0.5 + 1 + 0.25 + 0) / 4)
    deciles = found["foreground"]["deciles"]
    assert len(deciles) == 11 and (deciles[0], deciles[10]) == (0, 1) and deciles[5] == pytest.approx(0.375)
    assert found["parts"]["head"] == {"present": 0.75, "coverage": pytest.approx(0.4375)}
    assert found["parts"]["background"] == {"present": 0.75, "coverage": pytest.approx(0.5625)}
    assert found["parts"]["foot"] == {"present": 0, "coverage": 0}


def test_splits_are_told_apart_and_added_up(paths: Paths) -> None:
    write_labels(paths, {"query": [sample("query/a.jpg", 32)], "train": TRAIN})
    write_exact(paths, "query/a.jpg", np.full(SIZE, HEAD, np.uint8))
    both = dataclasses.replace(CONFIG, masks=dataclasses.replace(CONFIG.masks, splits=("query", "train")))
    written = write(paths, both)
    assert list(written["splits"]) == ["train", "query"]
    assert [found["images"] for found in (*written["splits"].values(), written["all"])] == [5, 1, 6]
    assert written["splits"]["train"]["exact"] is None and written["splits"]["query"]["exact"]["images"] == 1
    assert "| all | 6 |" in paths.label_report_md.read_text()


def test_exact_masks_are_compared_with_all_that_a_labeler_saw(paths: Paths) -> None:
    """Every person fills the image; their labels show a half, all, a quarter and nothing of it."""
    for item in TRAIN:
        write_exact(paths, item.name, np.full(SIZE, HEAD, np.uint8))
    written = write(paths)
    assert (written["exact"]["images"], written["exact"]["available"]) == (4, 4)
    found = written["all"]["exact"]
    assert found["images"] == 4 and found["iou"]["head"] == pytest.approx((0.5 + 1 + 0.25) / 4)
    assert found["iou"]["background"] == 0 and found["pixel_accuracy"] == pytest.approx(0.4375)
    stripes = found["stripes"]  # two per image: said visible in a 1, b 2, c 1 (a half of it), d 0
    assert stripes["agreement"] == pytest.approx(4 / 8) and stripes["per_stripe"] == pytest.approx([3 / 4, 1 / 4])
    assert (stripes["said_hidden"], stripes["said_visible"], stripes["visible_share"]) == (0.5, 0, 1)
    assert [item["name"] for item in written["exact"]["worst"]] == [f"train/{name}.jpg" for name in "dca"]
    text = paths.label_report_md.read_text()
    assert "for all 4 images that have one" in text and "| train | 75.0 | 25.0 | 50.0 | 50.0 | 0.0 |" in text
    assert "100.0 % of the stripes are visible: what calling every stripe visible would agree on." in text


def test_large_datasets_are_compared_on_a_sample_that_is_named(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    for item in TRAIN:
        write_exact(paths, item.name, item.mask)
    monkeypatch.setattr(report, "COMPARED", 3)
    first, again = write(paths), write(paths)
    assert first == again and (first["exact"]["images"], first["exact"]["available"]) == (3, 4)
    assert first["all"]["exact"]["mIoU"] == 1 and first["exact"]["worst"] == []
    assert "for 3 images drawn at random (seed 0) among 4 that have one" in paths.label_report_md.read_text()


def test_an_exact_mask_of_another_shape_stops_with_its_name(paths: Paths) -> None:
    write_exact(paths, "train/b.jpg", np.zeros((32, 32), np.uint8))
    with pytest.raises(UserError, match=r"masks/train/b\.png is 32x32 pixels and its image 16x32"):
        write(paths)
    assert not paths.label_report_json.exists()


def test_the_sheet_shows_each_kind_and_names_it(paths: Paths) -> None:
    shown = write(paths)["shown"]
    assert list(shown) == [
        "2 of 2 ok images, drawn at random (seed 0)",
        "The least foreground of 2 ok images",
        "empty: the first of 1",
        "several people: the first of 1",
    ]
    assert sorted(shown["2 of 2 ok images, drawn at random (seed 0)"]) == ["train/a.jpg", "train/b.jpg"]
    assert shown["The least foreground of 2 ok images"] == ["train/a.jpg", "train/b.jpg"]
    without = Image.open(paths.label_pictures / "labels.png").size
    for item in TRAIN:
        write_exact(paths, item.name, np.full(SIZE, HEAD, np.uint8))
    (paths.label_pictures / "old.png").touch()
    shown = write(paths)["shown"]
    worst = "The worst of 4 compared with ground truth: fewest stripes, then lowest mIoU"
    assert shown[worst] == ["train/c.jpg", "train/a.jpg", "train/b.jpg"], "an empty one has a section of its own"
    assert [path.name for path in paths.label_pictures.iterdir()] == ["labels.png"]
    assert Image.open(paths.label_pictures / "labels.png").size[0] > without[0], "a column more"
    assert "![labels](pictures/labels.png)" in paths.label_report_md.read_text()


def test_the_terminal_says_the_most_important(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    for item in TRAIN:
        write_exact(paths, item.name, np.full(SIZE, HEAD, np.uint8))
    write(paths)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "labels: 5 images: 2 ok, 1 empty, 1 several people, 1 unreadable"
    first = "empty: train/d.jpg; several people: train/c.jpg; unreadable: train/e.jpg"
    assert lines[1] == f"labels: the first that are not ok: {first}"
    assert lines[2] == "labels: foreground 43.8 % on average, 80 % of the images between 7.5 and 85.0 %"
    assert "ground truth of 4 images: mIoU 21.9 %, 43.8 % of the pixels, 50.0 % of the visible or hidden" in lines[3]
    assert lines[4] == f"labels: report {paths.label_report_md}"


def test_images_that_nobody_labelled_are_only_counted(paths: Paths) -> None:
    write_labels(paths, {"query": QUERY})
    written = write(paths)
    assert not paths.label_pictures.exists()
    assert written["all"]["status"]["unlabeled"] == 1 and written["all"]["seen"] == 0 and written["shown"] == {}
    assert written["all"]["foreground"] is None and written["all"]["parts"] is None
    assert "![" not in paths.label_report_md.read_text()


def test_the_report_carries_notice_licence_and_weights(paths: Paths) -> None:
    write(paths)
    text = paths.label_report_md.read_text()
    assert "> **Notice.** Withdrawn." in text and "Ask first." in text and '`weights = "abc"`' in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count(" |") for line in table.splitlines()}) == 1, table


def test_torch_is_not_imported_before_there_is_something_to_compare() -> None:
    code = (
        "import sys, pipeline.reports.labels.build, pipeline.reports.labels.compare; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=False).returncode == 0


def test_labels_of_one_body_part_are_doubted(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    """As when outlines are read as class ids: 1 is a head, and every status is ok."""
    write(paths)
    assert "labels: All labels show one body part alone, head. They may be outlines" in caplog.text
    text = paths.label_report_md.read_text()
    assert "> **Warning.** All labels show one body part alone, head. They may be outlines of people" in text


DOUBTS = [
    ((0, 1, 2, 5), ""),
    ((1, 5), "No label has any background."),
    ((0, 3), "upper arm"),
    ((0, 1, 1, 2), "The class head covers 66.7 % of the person."),
]


@pytest.mark.parametrize(("ids", "doubt"), DOUBTS)
def test_what_is_doubted(paths: Paths, caplog: pytest.LogCaptureFixture, ids: tuple[int, ...], doubt: str) -> None:
    mask = np.resize(np.array(ids, np.uint8), SIZE)
    status = Status.OK if any(ids) else Status.EMPTY
    write_labels(paths, {"train": [dataclasses.replace(sample("train/a.jpg", 0, status), mask=mask)]})
    write(paths)
    assert ("They may be outlines" in caplog.text) == bool(doubt) and doubt in caplog.text


def test_labels_of_nobody_are_doubted(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    empty = dataclasses.replace(sample("train/a.jpg", 0, Status.EMPTY), mask=np.zeros(SIZE, np.uint8))
    write_labels(paths, {"train": [empty]})
    write(paths)
    assert "labels: No label shows any part of a person." in caplog.text
