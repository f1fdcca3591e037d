"""Image records and their storage.

Reads and writes records.csv. An ImageRecord holds what the dataset states about an image; an ImageFile holds the state
of its file when it was read.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError
from pipeline.io.files import digest_json, write_text

COLUMNS = ("name", "path", "pid", "camid", "split", "bytes", "mtime_ns", "sha256", "width", "height")
TRACK = "track"  # further column, where a record has a track


@dataclass(frozen=True)
class ImageRecord:
    """One image of a dataset.

    name: `split/relative/path`, unique. path: absolute. pid, camid: identity and camera number of the dataset, or the
    numbers given to the names in a CSV. split: one of SPLITS in pipeline.datasets.manifest. track: name of the track
    that the image is a frame of; "" for none.
    """

    name: str
    path: Path
    pid: int
    camid: int
    split: str
    track: str = ""


@dataclass(frozen=True)
class ImageFile:
    """File of an image when it was last read.

    bytes, mtime_ns: size and modification time, which show whether it was written since. sha256: of the bytes,
    hexadecimal. width, height: pixels.
    """

    bytes: int
    mtime_ns: int
    sha256: str
    width: int
    height: int


LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Error, warning or note about a dataset.

    level: one of LEVELS; a dataset with an error cannot be used.
    """

    level: str
    wrong: str
    remedy: str = ""


@dataclass(frozen=True)
class IdNames:
    """Identities and cameras as the user's list writes them.

    pids, camids: number -> text, where that is not the number.
    """

    pids: Mapping[int, str] = field(default_factory=dict)
    camids: Mapping[int, str] = field(default_factory=dict)

    def person(self, pid: int) -> str:
        return self.pids.get(pid, str(pid))

    def camera(self, camid: int) -> str:
        return self.camids.get(camid, str(camid))


@dataclass(frozen=True)
class Found:
    """Result of the search for a dataset's images.

    root: the dataset's folder. source: how it was read, in words. records: sorted by name, without junk. folders:
    prefix of a set's image names -> its folder. junk: the same prefix -> number of junk images dropped. pid_labels,
    camid_labels: number -> id as the CSV writes it, where that is not the number.
    """

    root: Path
    source: str
    records: list[ImageRecord]
    folders: dict[str, Path]
    junk: dict[str, int]
    findings: list[Finding]
    pid_labels: dict[int, str] = field(default_factory=dict)
    camid_labels: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> IdNames:
        return IdNames(self.pid_labels, self.camid_labels)

    def by_set(self) -> dict[str, list[ImageRecord]]:
        """Name prefix of each set -> its records."""
        sets: dict[str, list[ImageRecord]] = {prefix: [] for prefix in self.folders}
        for record in self.records:
            # A split is one set, or each of its sets has a name of its own below it.
            own = f"{record.split}/"
            sets[own if own in sets else "/".join(record.name.split("/", 2)[:2]) + "/"].append(record)
        return sets


def read_rows(path: Path, make: str) -> list[tuple[ImageRecord, ImageFile]]:
    """Images found by the data stage with their files, sorted by name.

    path: of records.csv. make: command that writes it, for the message. Raises UserError if the stage never ran or its
    file is damaged.
    """
    again = f"Run: {make}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: the data stage has not run", again) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", f"Delete it. {again}") from error
    table = csv.reader(io.StringIO(text, newline=""))
    try:
        if tuple(next(table, ())) not in (COLUMNS, (*COLUMNS, TRACK)):
            raise UserError(f"{path} does not have the columns {', '.join(COLUMNS)}", again)
        return [
            (
                ImageRecord(name, Path(file), int(pid), int(camid), split, *track),
                ImageFile(int(size), int(mtime_ns), sha256, int(width), int(height)),
            )
            for name, file, pid, camid, split, size, mtime_ns, sha256, width, height, *track in table
        ]
    except (TypeError, ValueError, csv.Error) as error:  # TypeError: too many values
        raise UserError(f"{path}, line {table.line_num}: {error}", again) from error


def twins(records: Iterable[ImageRecord]) -> frozenset[str]:
    """Names of images that differ from another one in their suffix alone."""
    names = [record.name for record in records]
    count = Counter(map(stem, names))
    return frozenset(name for name in names if count[stem(name)] > 1)


def stem(name: str) -> str:
    """Name without its suffix."""
    return PurePosixPath(name).with_suffix("").as_posix()


def moved(rows: list[tuple[ImageRecord, ImageFile]], old: Path, new: Path) -> list[tuple[ImageRecord, ImageFile]]:
    """Rows of a dataset that was moved, with its present paths.

    old, new: its folder then and now.
    """
    if old == new:
        return rows
    return [
        (replace(r, path=new / r.path.relative_to(old)) if r.path.is_relative_to(old) else r, file) for r, file in rows
    ]


def write_records(path: Path, rows: Iterable[tuple[ImageRecord, ImageFile]]) -> None:
    """records.csv, sorted by name and written atomically."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    rows = sorted(rows, key=lambda row: row[0].name)
    tracks = any(record.track for record, _ in rows)
    writer.writerow((*COLUMNS, TRACK) if tracks else COLUMNS)
    for record, file in rows:
        fields = (record.name, record.path, record.pid, record.camid, record.split)
        state = (file.bytes, file.mtime_ns, file.sha256, file.width, file.height)
        writer.writerow((*fields, *state, record.track) if tracks else (*fields, *state))
    write_text(path, text.getvalue())


def content_digest(rows: Iterable[tuple[ImageRecord, ImageFile]]) -> str:
    """sha256 over all facts that later stages depend on.

    It does not include the paths and modification times of the files.
    """
    return digest_json(
        sorted([record.name, record.pid, record.camid, record.split, file.sha256] for record, file in rows)
    )
