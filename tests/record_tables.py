"""Tables of records, made of single records and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.datasets.record_table import FileValues, RecordTable
from pipeline.datasets.records import ImageFile, ImageRecord


def table_of(records: Iterable[ImageRecord]) -> RecordTable:
    return RecordTable.of_values((r.name, str(r.path), r.pid, r.camid, r.split, r.track) for r in records)


def table_of_pairs(pairs: Iterable[tuple[ImageRecord, ImageFile]]) -> RecordTable:
    """Table of records with their files."""
    pairs = list(pairs)
    files = [FileValues(file.bytes, file.mtime_ns, file.sha256, file.width, file.height) for _, file in pairs]
    return table_of(record for record, _ in pairs).with_files(files)


def pairs_of(table: RecordTable) -> Iterator[tuple[ImageRecord, ImageFile]]:
    """Records with their files."""
    return ((table[number], table.file(number)) for number in range(len(table)))
