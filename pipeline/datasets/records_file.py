"""Table of the images of a dataset: records.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.record_table import FileColumns, RecordColumns, RecordTable
from pipeline.errors import UserError
from pipeline.io.files import atomic
from pipeline.io.texts import Texts, ascending, blocks, digest_list, first_equal

COLUMNS = ("name", "path", "pid", "camid", "split", "bytes", "mtime_ns", "sha256", "width", "height")
TRACK = "track"  # further column, where a record has a track
DAMAGE = (TypeError, ValueError, OverflowError, csv.Error)


def read_records(path: Path, make: str) -> RecordTable:
    """Images found by the data stage with their files, sorted by name.

    path: of records.csv. make: command that writes it, for the message. Raises UserError if the stage never ran or its
    file is damaged.
    """
    again = f"Run: {make}"
    records, files = RecordColumns(), FileColumns()
    try:
        with open(path, encoding="utf-8", newline="") as file:
            table = csv.reader(file)
            header = tuple(next(table, ()))
            if header not in (COLUMNS, (*COLUMNS, TRACK)):
                raise UserError(f"{path} does not have the columns {', '.join(COLUMNS)}", again)
            for lines in blocks((table.line_num, row) for row in table):
                _extend(records, files, lines, len(header))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: the data stage has not run", again) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", f"Delete it. {again}") from error
    except _Damaged as error:
        raise UserError(f"{path}, line {error.line}: {error}", again) from error
    except csv.Error as error:
        raise UserError(f"{path}, line {table.line_num}: {error}", again) from error
    return RecordTable(records, files)


class _Damaged(Exception):
    """Reason why a line cannot be read."""

    def __init__(self, line: int, reason: object) -> None:
        super().__init__(str(reason))
        self.line = line


def _extend(records: RecordColumns, files: FileColumns, lines: list[tuple[int, list[str]]], columns: int) -> None:
    """Rows of some lines. Raises _Damaged for the first line that is no row."""
    try:
        if any(len(row) != columns for _, row in lines):
            raise ValueError
        name, path, pid, camid, split, size, mtime_ns, sha256, width, height, *track = zip(
            *(row for _, row in lines), strict=True
        )
        of_records = name, path, map(int, pid), map(int, camid), split, track[0] if track else [""] * len(lines)
        of_files = map(int, size), map(int, mtime_ns), sha256, map(int, width), map(int, height)
        records.extend(list(zip(*of_records, strict=True)))
        files.extend(list(zip(*of_files, strict=True)))
    except (ValueError, OverflowError) as error:
        for line, row in lines:
            if len(row) != columns:
                raise _Damaged(line, f"{len(row)} values for {columns} columns") from error
            for value in (*row[2:4], *row[5:7], *row[8:10]):
                try:
                    np.int64(int(value))
                except (ValueError, OverflowError) as reason:
                    raise _Damaged(line, reason) from reason
        raise


def write_records(path: Path, table: RecordTable) -> None:
    """records.csv, sorted by name and written atomically."""
    table = table.by_name()
    tracks = any(True for _ in table.tracks())
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, TRACK) if tracks else COLUMNS)
        for number in range(len(table)):
            *fields, track = table.values(number)
            state = table.file_values(number)
            writer.writerow((*fields, *state, track) if tracks else (*fields, *state))


def content_digest(table: RecordTable, digests: Texts | None = None) -> str:
    """sha256 over all facts that later stages depend on.

    It does not include the paths and modification times of the files. digests: sha256 of the files, where the table
    does not have them.
    """
    contents = table.digests if digests is None else digests
    order: Iterable[int] = range(len(table))
    if not ascending(table.names):
        order = sorted(order, key=lambda number: _facts(table, contents, number))
    return digest_list(_facts(table, contents, number) for number in order)


def _facts(table: RecordTable, contents: Texts, number: int) -> list[object]:
    of = table.values(number)
    return [of.name, of.pid, of.camid, of.split, contents[number]]


def twins(names: Sequence[str]) -> frozenset[str]:
    """Names of images that differ from another one in their suffix alone."""
    first = first_equal(Texts(map(stem, names)))
    later = np.flatnonzero(first != np.arange(len(first)))
    return frozenset(names[number] for number in {*first[later].tolist(), *later.tolist()})


def stem(name: str) -> str:
    """Name without its suffix."""
    folder, slash, base = name.rpartition("/")
    first, _, suffix = base.rpartition(".")
    return folder + slash + first if first and suffix else name
