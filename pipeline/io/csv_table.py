"""CSV tables that people and spreadsheets write.

Every list of a user is read here, so that all of them take the same spellings: a byte order mark, UTF-16, commas,
semicolons or tabs, quotes, blanks around values, blank lines, any order of columns, further columns.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import UserError, first_names
from pipeline.io.text import read_text

Row = tuple[int, dict[str, str]]  # line number and the value of each column

DELIMITERS = (",", ";", "\t")
SEPARATOR = re.compile(r"sep=(.)\r?\n", re.I)  # first line for Excel, which is no header
WHOLE = re.compile(r"(-?\d+)\.0*", re.ASCII)  # how pandas and spreadsheets write whole numbers
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
BLANKS_AFTER_QUOTE = re.compile(r'"[ \t]+(?=[,;\r\n]|\Z)')


def read_table(path: Path, columns: Sequence[str], remedy: str, optional: Sequence[str] = ()) -> list[Row]:
    """Rows of a CSV file with these columns, without surrounding blanks.

    columns: in lower case; upper case in the file makes no difference. optional: columns whose value is "" where the
    file or the row lacks them. A row without any value is left out. Raises
    FileNotFoundError for a missing file, UserError with `remedy` for a file that is no such table.
    """
    return list(stream_table(path, columns, remedy, optional))


def stream_table(path: Path, columns: Sequence[str], remedy: str, optional: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of `read_table`, one by one.

    It raises when the first row, or a bad one, is asked for.
    """
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a CSV: {error}", remedy) from error
    marked = SEPARATOR.match(text)
    try:
        lines = _parsed(text[marked.end() :], marked[1], 1) if marked else _parsed(text, _delimiter(text, columns))
        yield from _rows(path, lines, columns, remedy, optional)
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV: {error}", remedy) from error


def whole(text: str) -> str:
    """Whole number without the ".0" that pandas appends.

    Any other text comes back as it is.
    """
    return WHOLE.sub(r"\1", text) if WHOLE.fullmatch(text) else text


def _delimiter(text: str, columns: Sequence[str]) -> str:
    """The delimiter with which the first line has most of the columns."""
    first = re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0]

    def found(delimiter: str) -> int:
        header = next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), [])
        return len(set(columns) & set(map(_name, header)))

    return max(DELIMITERS, key=found)


def _name(heading: str) -> str:
    return heading.strip().lower()


def _parsed(text: str, delimiter: str, before: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Line number and values of every line that has any. before: lines of the file before them."""
    if BLANKS_AFTER_QUOTE.search(text):
        try:
            for _ in _lines(text, delimiter):
                pass
        except csv.Error:
            text = BLANKS_AFTER_QUOTE.sub('"', text)
    stripped = ((line + before, [value.strip() for value in values]) for line, values in _lines(text, delimiter))
    return ((line, values) for line, values in stripped if any(values))


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # Lines by their ends: a StringIO takes four bytes per letter.
    lines = (found[0] for found in LINE.finditer(text))
    table = csv.reader(lines, strict=True, delimiter=delimiter, skipinitialspace=True)
    return ((table.line_num, values) for values in table)


def _rows(
    path: Path, lines: Iterator[tuple[int, list[str]]], columns: Sequence[str], remedy: str, optional: Sequence[str]
) -> Iterator[Row]:
    header = [_name(heading) for heading in next(lines, (0, []))[1]]
    missing = [column for column in columns if column not in header]
    if missing:
        has = ", ".join(header) or "none"
        raise UserError(f"{path} has no column {first_names(missing, 4)}; it has {has}", remedy)
    twice = [column for column in (*columns, *optional) if header.count(column) > 1]
    if twice:
        raise UserError(f"{path} has the column {twice[0]} twice", f"Rename or remove one of them. {remedy}")
    places = [(column, header.index(column)) for column in columns]
    further = [(name, header.index(name) if name in header else len(header)) for name in optional]
    last = max(place for _, place in places)
    for line, values in lines:
        if len(values) <= last:
            raise UserError(f"{path}, line {line}: {len(values)} values for {len(header)} columns", remedy)
        row = {column: values[place] for column, place in places}
        for name, place in further:
            row[name] = values[place] if place < min(len(values), len(header)) else ""
        yield line, row
