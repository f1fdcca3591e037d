"""Image list of a user: CSV with path, pid, camid, split, track.

Reads the CSV and returns image records.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.datasets.folders import file_state
from pipeline.datasets.id_numbers import (
    NOTHING_EARLIER,
    EarlierNumbers,
    Numbering,
    doubts,
    is_number,
    number_ids,
)
from pipeline.datasets.manifest import SPLITS, Manifest
from pipeline.datasets.records import Finding, Found, ImageRecord
from pipeline.datasets.spelling import find_spelled
from pipeline.datasets.tracks import track_findings
from pipeline.errors import UserError
from pipeline.io.csv_table import Row, read_table, whole
from pipeline.io.digests import ContentDigest, digest_files
from pipeline.io.files import digest_file, digest_json

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


def find_records(manifest: Manifest, earlier: EarlierIds = EarlierIds()) -> Found:
    """Image records of a CSV.

    earlier: numbers that the run gave to names before. Raises UserError for a file that cannot be read. An error in a
    row becomes a Finding.
    """
    path = manifest.csv_path
    rows = _read(path)
    complaints = _Complaints(path)
    good = [row for row in rows if _acceptable(row, path.parent, complaints)]
    kept = [row for _, row in good if row["pid"] != JUNK]
    pids = _numbering(path, "pid", kept, earlier.pid)
    camids = _numbering(path, "camid", [row for _, row in good], earlier.camid)
    records: dict[str, ImageRecord] = {}
    files: set[tuple[str, str]] = set()
    junk: dict[str, int] = {}
    for line, row in good:
        split = row["split"]
        name = f"{split}/{row['path']}"
        if row["pid"] == JUNK:
            junk[f"{split}/"] = junk.get(f"{split}/", 0) + 1
        elif name in records or (split, row["file"]) in files:
            complaints.add(line, f"is in {split} a second time", row["path"], "Remove one of the rows.")
        else:
            files.add((split, row["file"]))
            pid, camid = pids.numbers[row["pid"]], camids.numbers[row["camid"]]
            records[name] = ImageRecord(name, path.parent / row["file"], pid, camid, split, row[TRACK])
    findings = complaints.findings()
    findings += _names("pid", pids) + _names("camid", camids) + track_findings(path, records.values())
    found = sorted(records.values(), key=lambda record: record.name)
    folders = {f"{split}/": path.parent for split in SPLITS if any(record.split == split for record in found)}
    return Found(path.parent, f"rows of {path}", found, folders, junk, findings, dict(pids.names), dict(camids.names))


def content_digest(manifest: Manifest) -> ContentDigest:
    """sha256 over the contents of the CSV and of its images."""
    path = manifest.csv_path
    images = [os.path.join(path.parent, row["file"]) for _, row in _read(path)]
    content = digest_json([digest_file(path), digest_files(images)])
    return ContentDigest(content, lambda: digest_json([digest_file(path), [file_state(image) for image in images]]))


def _read(path: Path) -> list[Row]:
    """Line number and the values of each row.

    A path has forward slashes and no "./" at its start; an absolute one inside the CSV's folder becomes relative. An id
    such as 1.0 becomes 1, a split in capitals that of small letters.
    """
    try:
        rows = read_table(path, COLUMNS, "Its first line must be path,pid,camid,split, and its text UTF-8.", (TRACK,))
    except FileNotFoundError as error:
        raise UserError(
            f"{path} does not exist", "Give the path of a CSV with the columns path,pid,camid,split."
        ) from error
    if not rows:
        raise UserError(f"{path} lists no image", "Add a row per image: path,pid,camid,split.")
    for _, row in rows:
        if row["path"]:
            row["path"] = _relative(PurePosixPath(row["path"].replace("\\", "/")), path.parent)
        row["split"] = row["split"].lower() if row["split"].lower() in SPLITS else row["split"]
        row["file"] = _on_disk(row["path"], path.parent)
        row |= {key: whole(MINUS.sub("-", row[key])) for key in ("pid", "camid")}
    return rows


def _on_disk(path: str, folder: Path) -> str:
    """Path as the disk spells it; unchanged where nothing is there."""
    if not path or os.path.isfile(folder / path) or ".." in PurePosixPath(path).parts:
        return path
    return find_spelled(str(folder), path) or path


def _relative(path: PurePosixPath, folder: Path) -> str:
    """Path relative to the CSV's folder, where it is inside."""
    straight = PurePosixPath(os.path.normpath(path))
    if ".." in path.parts and (folder / straight).resolve() == (folder / path).resolve():  # not so behind some links
        path = straight
    inside = path.is_absolute() and path.is_relative_to(folder.absolute().as_posix())
    return (path.relative_to(folder.absolute().as_posix()) if inside else path).as_posix()


def _acceptable(numbered: tuple[int, dict[str, str]], folder: Path, complaints: _Complaints) -> bool:
    """Whether a row can become a record; otherwise the complaints get the reason."""
    line, row = numbered
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
    elif not os.path.isfile(folder / row["file"]):
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


def _numbering(path: Path, what: str, rows: list[dict[str, str]], earlier: EarlierNumbers) -> Numbering:
    try:
        return number_ids([(row["split"], row[what]) for row in rows], earlier)
    except ValueError as error:
        raise UserError(f"{path}: {what} {error}", "Write it in one way only.") from error


def _names(what: str, found: Numbering) -> list[Finding]:
    """Findings about ids that are names."""
    if all(map(is_number, found.numbers)):
        return []
    note = Finding("note", f"not every {what} is a whole number below 2^63: all are names, shown as they are written")
    return [note, *doubts(what, found.numbers)]
