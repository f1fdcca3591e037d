"""Image list of a user: CSV with path, pid, camid, split, track.

Reads the CSV and returns image records.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.datasets.folders import file_state
from pipeline.datasets.found import Found
from pipeline.datasets.id_numbers import (
    NOTHING_EARLIER,
    EarlierNumbers,
    Numbering,
    doubts,
    is_number,
    number_ids,
)
from pipeline.datasets.manifest import SPLITS, Manifest
from pipeline.datasets.record_table import RecordTable, RecordValues
from pipeline.datasets.records import Finding
from pipeline.datasets.spelling import find_spelled
from pipeline.datasets.tracks import track_findings
from pipeline.errors import UserError
from pipeline.io.csv_table import Row, stream_table, whole
from pipeline.io.digests import ContentDigest, digest_files
from pipeline.io.files import digest_file, digest_json
from pipeline.io.texts import Texts, digest_list, first_equal

COLUMNS = ("path", "pid", "camid", "split")
TRACK = "track"  # further column, of lists of tracks
JUNK = "-1"
MINUS = re.compile(r"^[\u2212\u2013\ufe63\uff0d](?=\d)")  # as word processors write it


@dataclass(frozen=True)
class EarlierIds:
    """Numbers of pids and camids in the run's last list."""

    pid: EarlierNumbers = NOTHING_EARLIER
    camid: EarlierNumbers = NOTHING_EARLIER


@dataclass
class _Complaints:
    """Reason for refusing rows -> (remedy, rows); one sentence for a thousand equal errors."""

    path: Path
    rows: dict[str, tuple[str, list[str]]] = field(default_factory=dict)

    def add(self, line: int, reason: str, example: str, remedy: str) -> None:
        self.rows.setdefault(reason, (remedy, []))[1].append(f"line {line}: {example}")

    def findings(self) -> list[Finding]:
        found = []
        for reason, (remedy, lines) in self.rows.items():
            more = f" (and {len(lines) - 1:,} more)" if len(lines) > 1 else ""
            found.append(Finding("error", f"{self.path}, {lines[0]}{more}: {reason}", remedy))
        return found


class _IdTexts:
    """Ids as a list writes them, each with a place in their order. pairs: split and id of the rows."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.pairs: set[tuple[str, str]] = set()

    def add(self, split: str, text: str) -> int:
        """Place of the id of one more row."""
        self.pairs.add((split, text))
        return self.places.setdefault(text, len(self.places))

    def numbers(self, numbering: Numbering) -> np.ndarray:
        """Number of the id at each place, int64."""
        return np.array([numbering.numbers[text] for text in self.places], np.int64)


def find_records(manifest: Manifest, earlier: EarlierIds = EarlierIds()) -> Found:
    """Image records of a CSV.

    earlier: numbers that the run gave to names before. Raises UserError for a file that cannot be read. An error in a
    row becomes a Finding.
    """
    path = manifest.csv_path
    complaints, twice = _Complaints(path), _Complaints(path)
    junk: dict[str, int] = {}
    pid_texts, camid_texts = _IdTexts(), _IdTexts()

    lines = array("q")

    def values() -> Iterator[RecordValues]:
        for line, row in _read(path):
            row["file"] = _on_disk(row["path"], path.parent)
            if not _acceptable(line, row, path.parent, complaints):
                continue
            split = row["split"]
            camid = camid_texts.add(split, row["camid"])
            if row["pid"] == JUNK:
                junk[f"{split}/"] = junk.get(f"{split}/", 0) + 1
                continue
            pid = pid_texts.add(split, row["pid"])
            lines.append(line)
            place = os.path.join(path.parent, row["file"])
            yield RecordValues(f"{split}/{row['path']}", str(Path(place)), pid, camid, split, row[TRACK])

    places = RecordTable.of_values(values())
    keys = (f"{one.split} {one.path}" for one in map(places.values, range(len(places))))
    own = first_equal(Texts(keys)) == np.arange(len(places))
    for number in np.flatnonzero(~own).tolist():
        name, _, _, _, split, _ = places.values(number)
        twice.add(lines[number], f"is in {split} a second time", name[len(split) + 1 :], "Remove one of the rows.")
    pids = _numbering(path, "pid", pid_texts, earlier.pid)
    camids = _numbering(path, "camid", camid_texts, earlier.camid)
    table = places.part(own).with_ids(pid_texts.numbers(pids), camid_texts.numbers(camids))
    findings = [*complaints.findings(), *twice.findings()]
    findings += _names("pid", pids) + _names("camid", camids) + track_findings(path, table)
    folders = {f"{split}/": path.parent for split in SPLITS if split in table.splits}
    names = dict(pids.names), dict(camids.names)
    return Found(path.parent, f"rows of {path}", table.by_name(), folders, junk, findings, *names)


def content_digest(manifest: Manifest) -> ContentDigest:
    """sha256 over the contents of the CSV and of its images."""
    path = manifest.csv_path
    folder = os.path.join(path.parent, "")
    names = (row["path"] for _, row in _read(path))
    images = Texts(name if name.startswith("/") else folder + name for name in names)
    contents = digest_files(images)
    if contents.others:  # perhaps the disk spells their names in another way
        contents = digest_files(_images(path))
    content = digest_list(contents, f'["{digest_file(path)}",', "]")
    return ContentDigest(content, lambda: digest_json([digest_file(path), list(map(file_state, _images(path)))]))


def _images(path: Path) -> Texts:
    """Paths of all images as the disk spells them."""
    return Texts(os.path.join(path.parent, _on_disk(row["path"], path.parent)) for _, row in _read(path))


def _read(path: Path) -> Iterator[Row]:
    """Line number and the values of each row.

    A path has forward slashes and no "./" at its start; an absolute one inside the CSV's folder becomes relative. An id
    such as 1.0 becomes 1, a split in capitals that of small letters.
    """
    remedy = "Its first line must be path,pid,camid,split, and its text UTF-8."
    empty = True
    try:
        for line, row in stream_table(path, COLUMNS, remedy, (TRACK,)):
            if not _is_plain(row["path"]):
                row["path"] = _relative(PurePosixPath(row["path"].replace("\\", "/")), path.parent)
            if row["split"] not in SPLITS and row["split"].lower() in SPLITS:
                row["split"] = row["split"].lower()
            for key in ("pid", "camid"):
                if not row[key].isalnum():
                    row[key] = whole(MINUS.sub("-", row[key]))
            empty = False
            yield line, row
    except FileNotFoundError as error:
        raise UserError(
            f"{path} does not exist", "Give the path of a CSV with the columns path,pid,camid,split."
        ) from error
    if empty:
        raise UserError(f"{path} lists no image", "Add a row per image: path,pid,camid,split.")


def _is_plain(path: str) -> bool:
    """Whether a path is certainly as `_relative` gives it; most are, and the check is cheap."""
    return not path or (path[0] not in "./" and path[-1] != "/" and not any(odd in path for odd in ("\\", "//", "/.")))


def _on_disk(path: str, folder: Path) -> str:
    """Path as the disk spells it; unchanged where nothing is there."""
    if not path or os.path.isfile(os.path.join(folder, path)) or ".." in PurePosixPath(path).parts:
        return path
    return find_spelled(str(folder), path) or path


def _relative(path: PurePosixPath, folder: Path) -> str:
    """Path relative to the CSV's folder, where it is inside."""
    straight = PurePosixPath(os.path.normpath(path))
    if ".." in path.parts and _place(folder / straight) == _place(folder / path):  # not so behind some links
        path = straight
    inside = path.is_absolute() and path.is_relative_to(folder.absolute().as_posix())
    return (path.relative_to(folder.absolute().as_posix()) if inside else path).as_posix()


def _place(path: Path) -> str:
    """Path without links; as it is where no file can have that name."""
    try:
        return os.path.realpath(path)
    except ValueError:  # it has a NUL byte
        return str(path)


def _acceptable(line: int, row: dict[str, str], folder: Path, complaints: _Complaints) -> bool:
    """Whether a row can become a record; otherwise the complaints get the reason."""
    path = PurePosixPath(row["path"])
    empty = [column for column in COLUMNS if not row[column]]
    if empty:
        remedy = "Fill it in." + (" No cameras known? Write 0 for query, 1 for gallery." if "camid" in empty else "")
        complaints.add(line, "is empty", " and ".join(empty), remedy)
    elif row["split"] not in SPLITS:
        complaints.add(line, "is no known split", f"'{row['split']}'", f"Known: {', '.join(SPLITS)}.")
    elif path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", row["path"]):
        remedy = "Write paths relative to the CSV, without '..'; put the CSV into the folder above all images."
        complaints.add(line, f"is not inside the CSV's folder {folder}", row["path"], remedy)
    elif not os.path.isfile(os.path.join(folder, row["file"])):
        complaints.add(line, f"does not exist in {folder}", row["path"], "Copy the file there, or remove the row.")
    elif re.fullmatch(r"-\d+", row["pid"]) and row["pid"] != JUNK:
        complaints.add(
            line, "is no person's number", f"pid {row['pid']}", "Use 0 and up; -1 marks junk, which is dropped."
        )
    elif re.fullmatch(r"-\d+", row["camid"]):
        complaints.add(line, "is no camera's number", f"camid {row['camid']}", "Use 0 and up.")
    else:
        return True
    return False


def _numbering(path: Path, what: str, texts: _IdTexts, earlier: EarlierNumbers) -> Numbering:
    try:
        return number_ids(texts.pairs, earlier)
    except ValueError as error:
        raise UserError(f"{path}: {what} {error}", "Write it in one way only.") from error


def _names(what: str, found: Numbering) -> list[Finding]:
    """Findings about ids that are names."""
    if all(map(is_number, found.numbers)):
        return []
    note = Finding("note", f"not every {what} is a whole number below 2^63: all are names, shown as they are written")
    return [note, *doubts(what, found.numbers)]
