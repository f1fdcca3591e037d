"""A column `track`: kept in the records, and refused where a track is of several persons."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_tables import table_of_pairs

from pipeline.datasets.discovery import find_records
from pipeline.datasets.found import Found as FoundImages
from pipeline.datasets.manifest import load_manifest
from pipeline.datasets.records import ImageFile
from pipeline.datasets.records_file import read_records, write_records
from pipeline.datasets.tracks import track_of, tracks_digest

FILE = ImageFile(1, 2, "0" * 64, 3, 4)


def find(folder: Path, *rows: str) -> FoundImages:
    path = folder / "mine.csv"
    path.write_text("\n".join(["path,pid,camid,split,track", *rows]))
    return find_records(load_manifest(str(path)), folder)


@pytest.fixture(autouse=True)
def images(tmp_path: Path, make_images) -> None:
    make_images(tmp_path, [f"{letter}.jpg" for letter in "abcd"])


def test_tracks_are_kept_in_the_records(tmp_path: Path) -> None:
    found = find(tmp_path, "a.jpg,1,1,query,t 1", "b.jpg,1,1,query,t 1", "c.jpg,1,2,gallery,", "d.jpg,1,2,gallery")
    assert track_of(found.records) == {"query/a.jpg": "t 1", "query/b.jpg": "t 1"}
    assert [finding.level for finding in found.findings] == ["note"] and "eval.tracks" in found.findings[0].remedy
    write_records(tmp_path / "records.csv", table_of_pairs((record, FILE) for record in found.records))
    assert read_records(tmp_path / "records.csv", "make data") == found.records


def test_records_without_tracks_are_written_as_before(tmp_path: Path) -> None:
    found = find(tmp_path, "a.jpg,1,1,query,", "b.jpg,1,2,gallery,")
    write_records(tmp_path / "records.csv", table_of_pairs((record, FILE) for record in found.records))
    assert "track" not in (tmp_path / "records.csv").read_text().splitlines()[0]
    assert tracks_digest(track_of(found.records)) == "" and not found.findings


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (["a.jpg,1,1,query,t", "b.jpg,2,1,query,t"], "persons"),
        (["a.jpg,1,1,query,t", "b.jpg,1,2,query,t"], "cameras"),
        (["a.jpg,1,1,query,t", "b.jpg,1,1,gallery,t"], "splits"),
    ],
)
def test_divided_tracks_are_refused(tmp_path: Path, rows: list[str], what: str) -> None:
    (finding,) = [finding for finding in find(tmp_path, *rows).findings if finding.level != "warning"]
    assert finding.level == "error" and f"1 of 1 tracks are of several {what}: t" in finding.wrong
    assert "name of its own" in finding.remedy
