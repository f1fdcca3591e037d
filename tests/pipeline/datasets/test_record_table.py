"""Records in columns: what goes in comes out, whatever part is asked for."""

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from record_tables import pairs_of, table_of, table_of_pairs

from pipeline.datasets.record_table import FileValues, RecordTable, RecordValues
from pipeline.datasets.records import ImageFile, ImageRecord

RECORDS = [
    ImageRecord("train/b.jpg", Path("/d/b.jpg"), 2**62, 0, "train"),
    ImageRecord("query/c.jpg", Path("/d/c.jpg"), 5, 1, "query", "street"),
    ImageRecord("train/ä.jpg", Path("/other/ä.jpg"), 7, 3, "train"),
    ImageRecord("gallery/a.jpg", Path("/d/a.jpg"), 5, 2, "gallery"),
]
FILES = [ImageFile(10 + n, -n, f"{n:064}", 100 + n, 200 + n) for n in range(4)]
PAIRS = list(zip(RECORDS, FILES, strict=True))


@pytest.fixture
def table() -> RecordTable:
    return table_of_pairs(PAIRS)


def test_records_and_files_come_out_as_they_went_in(table: RecordTable) -> None:
    assert list(pairs_of(table)) == PAIRS and list(table) == RECORDS and len(table) == 4
    assert table[1] == RECORDS[1] and list(table[1:3]) == RECORDS[1:3] and table.file(2) == FILES[2]
    assert list(table.names) == [record.name for record in RECORDS]
    assert list(table.paths) == [str(record.path) for record in RECORDS]
    assert list(table.digests) == [file.sha256 for file in FILES]
    assert table.pid.tolist() == [2**62, 5, 7, 5] and table.camid.tolist() == [0, 1, 3, 2]
    assert table.sizes.tolist() == [[100 + n, 200 + n] for n in range(4)]
    assert table.splits == ["train", "query", "gallery"]


def test_a_part_has_its_own_rows_of_everything(table: RecordTable) -> None:
    part = table.by_name().of_split("train", "gallery")
    assert list(pairs_of(part)) == [PAIRS[3], PAIRS[0], PAIRS[2]]
    assert part.splits == ["train", "gallery"] and part.pid.tolist() == [5, 2**62, 7]
    assert list(part.digests) == [FILES[3].sha256, FILES[0].sha256, FILES[2].sha256]
    assert list(part.part(np.array([2, 0]))) == [RECORDS[2], RECORDS[3]]
    assert list(table.of_split("labeler")) == []


def test_files_follow_the_order_of_a_sorted_table() -> None:
    table = table_of(RECORDS).by_name()
    files = [FileValues(n, 0, str(n), 1, 1) for n in range(4)]
    with_files = table.with_files(files)
    assert [(r.name, f.sha256) for r, f in pairs_of(with_files)] == [(r.name, str(n)) for n, r in enumerate(table)]


def test_names_are_found_in_a_sorted_table(table: RecordTable) -> None:
    ordered = table.by_name()
    for record in RECORDS:
        row = ordered.find(record.name)
        assert row is not None and ordered[row] == record
    assert [ordered.find(name) for name in ("", "query/c", "z")] == [None] * 3


def test_tracks_are_those_of_the_images_that_have_one(table: RecordTable) -> None:
    assert [(track, record.name) for track, record in table.tracks()] == [("street", "query/c.jpg")]
    assert list(table_of(RECORDS[2:]).tracks()) == []


def test_a_moved_dataset_has_other_paths_inside_its_folder_alone(table: RecordTable) -> None:
    moved = table.moved(Path("/d"), Path("/new/place"))
    assert list(moved.paths) == ["/new/place/b.jpg", "/new/place/c.jpg", "/other/ä.jpg", "/new/place/a.jpg"]
    assert table.paths[0] == "/d/b.jpg" and table.moved(Path("/d"), Path("/d")) is table


def test_a_part_is_sent_without_the_rest(table: RecordTable) -> None:
    sent = pickle.dumps(table[:1])
    assert list(pickle.loads(sent)) == RECORDS[:1] and b"street" not in sent


def test_a_record_takes_little_more_than_its_letters() -> None:
    count = 20_000
    tracemalloc.start()
    try:
        values = (RecordValues(f"train/{n:09}.jpg", f"/d/{n:09}.jpg", n, 1, "train") for n in range(count))
        table = RecordTable.of_values(values)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(table) == count and held / count < 100, f"{held / count:.0f} bytes for 37 letters"
