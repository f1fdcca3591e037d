"""Table of the images of a dataset: records.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.record_table import MOST_SPLITS, FileColumns, RecordColumns, RecordTable
from pipeline.errors import UserError
from pipeline.io.files import atomic
from pipeline.io.texts import Texts, ascending, blocks, digest_list, first_equal

COLUMNS = ("name", "path", "pid", "camid", "split", "bytes", "mtime_ns", "sha256", "width", "height")
TRACK = "track"  # further column, where a record has a track


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
            for rows in blocks(table):
                _extend(records, files, rows, len(header))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: the data stage has not run", again) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", f"Delete it. {again}") from error
    except (ValueError, OverflowError, csv.Error) as error:
        line, reason = _damage(path)
        raise UserError(f"{path}, line {line}: {reason}", again) from error
    return RecordTable(records, files)


def _extend(records: RecordColumns, files: FileColumns, rows: list[list[str]], columns: int) -> None:
    """Add rows of the file. Raises ValueError or OverflowError for a row that is none."""
    if any(len(row) != columns for row in rows):
        raise ValueError
    name, path, pid, camid, split, size, mtime_ns, sha256, width, height, *track = zip(*rows, strict=True)
    records.extend(name, path, map(int, pid), map(int, camid), split, track[0] if track else [""] * len(rows))
    files.extend(map(int, size), map(int, mtime_ns), sha256, map(int, width), map(int, height))


def _damage(path: Path) -> tuple[int, object]:
    """The first line of a damaged file that cannot be read, and the reason."""
    with open(path, encoding="utf-8", newline="") as file:
        table = csv.reader(file)
        splits: set[str] = set()
        try:
            columns = len(next(table))
            for row in table:
                if len(row) != columns:
                    return table.line_num, f"{len(row)} values for {columns} columns"
                for value in (*row[2:4], *row[5:7], *row[8:10]):
                    np.int64(int(value))
                splits.add(row[4])
                if len(splits) > MOST_SPLITS:
                    return table.line_num, f"'{row[4]}' is one of too many splits, more than {MOST_SPLITS:,}"
        except (ValueError, OverflowError, csv.Error) as error:
            return table.line_num, error
    raise AssertionError(path)


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


def content_digest(table: RecordTable, digests: Sequence[str] | None = None) -> str:
    """sha256 over all facts that later stages depend on.

    It does not include the paths and modification times of the files. digests: sha256 of the files, where the table
    does not have them.
    """
    contents = table.digests if digests is None else digests
    order: Iterable[int] = range(len(table))
    if not ascending(table.names):
        order = sorted(order, key=lambda number: _facts(table, contents, number))
    return digest_list(_facts(table, contents, number) for number in order)


def _facts(table: RecordTable, contents: Sequence[str], number: int) -> list[object]:
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
