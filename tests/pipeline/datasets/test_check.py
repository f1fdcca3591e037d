from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from pipeline.datasets import check as module
from pipeline.datasets.check import check
from pipeline.datasets.leaks import leaks
from pipeline.datasets.manifest import load_manifest
from pipeline.datasets.record_table import RecordTable
from pipeline.datasets.records import Finding


def partial_reid(tmp_path: Path, make_images):
    """A whole Partial-REID of two people, and the manifest that expects it."""
    for kind in ("occluded", "partial", "whole"):
        make_images(tmp_path / "Partial_REID" / f"{kind}_body_images", ["001_001.jpg", "002_001.jpg"])
    manifest = load_manifest("partial_reid")
    sets = tuple(dataclasses.replace(image_set, images=2) for image_set in manifest.set)
    return dataclasses.replace(manifest, set=sets, expected_ids={"query": 2, "gallery": 2})


def test_one_screen_of_a_good_dataset(tmp_path: Path, make_images) -> None:
    report = check(partial_reid(tmp_path, make_images), tmp_path)
    lines = report.text().splitlines()
    assert report.usable and lines[-1] == "can be used" and len(lines) <= 24
    assert max(map(len, lines)) <= 120
    (row,) = [line for line in lines if line.startswith("query/occluded")]
    assert row.split() == ["query/occluded", "2", "2", "2", "2", "0", "4", "x", "8", "occluded_body_images"]
    assert any(line.startswith("protocol occluded (default):") for line in lines)


def test_a_truncated_image_passes_the_header_and_fails_the_decoding(tmp_path: Path, make_images) -> None:
    manifest = partial_reid(tmp_path, make_images)
    path = tmp_path / "Partial_REID" / "whole_body_images" / "001_001.jpg"
    Image.effect_noise((64, 128), 50).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    assert check(manifest, tmp_path).usable
    report = check(manifest, tmp_path, decode=True)
    assert not report.usable and f"{path} cannot be read as an image: " in report.text().replace("\n         ", " ")
    assert report.text().endswith("cannot be used: 1 error")


def test_an_empty_file_fails_at_once_and_the_rest_is_still_told(tmp_path: Path, make_images) -> None:
    manifest = partial_reid(tmp_path, make_images)
    for name in ("001_001.jpg", "002_001.jpg"):
        (tmp_path / "Partial_REID" / "partial_body_images" / name).write_bytes(b"")
    report = check(manifest, tmp_path)
    (finding,) = report.findings
    assert "it is empty (and 1 more files)" in finding.wrong and "Copy this file again" in finding.remedy
    assert "query/partial" in report.text() and "whole_body_images" in report.text()


def test_no_dataset_at_all(tmp_path: Path) -> None:
    report = check(load_manifest("market1501"), tmp_path)
    assert not report.usable and report.found is None
    assert "no dataset folder under" in report.text() and "set DATA_ROOT" in report.text()


def test_junk_and_distractors_are_told(tmp_path: Path, make_images) -> None:
    root = tmp_path / "market1501"
    make_images(root / "bounding_box_train", ["0002_c1s1_000451_03.jpg", "0003_c2s1_000451_03.jpg"])
    make_images(root / "query", ["0001_c1s1_001051_00.jpg"])
    gallery = ["0001_c2s1_000301_01.jpg", "0000_c6s4_002877_05.jpg", "-1_c1s1_000401_03.jpg"]
    make_images(root / "bounding_box_test", gallery)
    text = check(dataclasses.replace(load_manifest("market1501"), subset=True), tmp_path).text()
    assert "dropped  junk images: 1 in gallery" in text and "kept     1 images of distractors" in text
    assert text.endswith("can be used")


def listed(folder: Path, *rows: str) -> str:
    (folder / "mine.csv").write_text("\n".join(["path,pid,camid,split", *rows]) + "\n")
    report = check(load_manifest(str(folder / "mine.csv")), folder)
    assert report.text().endswith("can be used")
    return " ".join(report.text().split())


def test_a_query_that_is_in_the_gallery_too_is_a_warning(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["a.png", "b.png", "c.png", "d.png"])
    Image.effect_noise((30, 60), 50).save(tmp_path / "long.png")  # no other file is as long
    good = ("a.png,zoe,door,query", "b.png,zoe,yard,gallery")
    assert "are in gallery too" not in listed(tmp_path, *good, "a.png,zoe,door,gallery")
    same = listed(tmp_path, *good, "a.png,zoe,hall,gallery")
    assert "WARNING 1 of 1 images of query are in gallery too" in same and "query/a.png = gallery/a.png" in same
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    assert "query/a.png = gallery/copy.png" in listed(tmp_path, *good, "copy.png,yann,yard,gallery")
    train = ("c.png,1,door,train", "d.png,2,yard,train", "copy.png,1,door,train")
    trained = listed(tmp_path, *good, "long.png,zoe,door,query", *train)
    assert "1 of 2 images of query are in train too: query/a.png = train/copy.png" in trained


def test_cameras_are_shown_by_their_names(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, ["a.png", "b.png"])
    assert " door " in listed(tmp_path, "a.png,0042,door,query", "b.png,0042,yard,gallery")


def test_the_last_image_is_counted(tmp_path: Path, make_images, capsys: pytest.CaptureFixture[str]) -> None:
    check(partial_reid(tmp_path, make_images), tmp_path)
    progress = [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()]
    assert progress == ["check: 6/6 images", "compare: 6/6 images"]


def test_images_that_are_not_read_have_a_digest_of_their_own(
    tmp_path: Path, make_images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that is no digest takes more memory."""
    asked: list[list[str]] = []

    def remembered(records: RecordTable) -> list[Finding]:
        assert not records.digests.others
        asked.append(list(records.digests))
        return leaks(records)

    monkeypatch.setattr(module, "leaks", remembered)
    make_images(tmp_path, ["a.png", "b.png"])
    for name, extra in (("c.png", 10), ("d.png", 20)):
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes() + bytes(extra))
    listed(tmp_path, "c.png,1,1,query", "d.png,1,2,gallery")
    ((first, second),) = asked
    assert first != second
