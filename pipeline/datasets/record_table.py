"""Records of many images, held in columns."""

from __future__ import annotations

import bisect
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.io.digest_column import DigestColumn
from pipeline.io.texts import Texts, ascending, blocks

MOST_SPLITS = 2**16  # that a column of 16 bits tells apart


class RecordValues(NamedTuple):
    """Values of an ImageRecord, its path as text."""

    name: str
    path: str
    pid: int
    camid: int
    split: str
    track: str = ""


class FileValues(NamedTuple):
    """Values of an ImageFile."""

    bytes: int
    mtime_ns: int
    sha256: str
    width: int
    height: int


class RecordColumns:
    """Columns of records.

    track: empty as long as no image has a track.
    """

    def __init__(self) -> None:
        self.name, self.path, self.track = Texts(), Texts(), Texts()
        self.pid, self.camid, self.split = array("q"), array("q"), array("H")
        self.splits: dict[str, int] = {}  # split -> its number in the column

    def extend(
        self,
        name: Sequence[str],
        path: Sequence[str],
        pid: Iterable[int],
        camid: Iterable[int],
        split: Iterable[str],
        track: Sequence[str],
    ) -> None:
        """Further rows, as columns of RecordValues."""
        if any(track) and not len(self.track):
            self.track.extend([""] * len(self.name))
        if any(track) or len(self.track):
            self.track.extend(track)
        self.pid.extend(pid)
        self.camid.extend(camid)
        self.split.extend([self.splits.setdefault(one, len(self.splits)) for one in split])
        self.name.extend(name)
        self.path.extend(path)

    def copy(self) -> RecordColumns:
        """The same columns, of which single ones can be replaced."""
        made = RecordColumns()
        made.__dict__ |= self.__dict__
        return made

    def values(self, row: int) -> RecordValues:
        track = self.track[row] if len(self.track) else ""
        split = next(islice(self.splits, self.split[row], None))
        return RecordValues(self.name[row], self.path[row], self.pid[row], self.camid[row], split, track)


class FileColumns:
    """Columns of files."""

    def __init__(self) -> None:
        self.sha256 = DigestColumn()
        self.bytes, self.mtime_ns, self.width, self.height = array("q"), array("q"), array("q"), array("q")

    def extend(
        self,
        size: Iterable[int],
        mtime_ns: Iterable[int],
        sha256: Iterable[str],
        width: Iterable[int],
        height: Iterable[int],
    ) -> None:
        """Further rows, as columns of FileValues."""
        self.bytes.extend(size)
        self.mtime_ns.extend(mtime_ns)
        self.width.extend(width)
        self.height.extend(height)
        self.sha256.extend(sha256)

    def values(self, row: int) -> FileValues:
        return FileValues(self.bytes[row], self.mtime_ns[row], self.sha256[row], self.width[row], self.height[row])


class RecordTable(Sequence[ImageRecord]):
    """Records of N images, and, where they are known, their files.

    An ImageRecord is made when one is asked for: it takes ten times the memory. A part of a table, such as the images
    of one split, shares the columns of the whole.
    """

    def __init__(self, columns: RecordColumns, files: FileColumns | None = None) -> None:
        self._columns, self._files = columns, files
        self._rows = np.arange(len(columns.name), dtype=np.int32)  # in the columns of records
        self._file_rows = self._rows

    @classmethod
    def of_values(cls, values: Iterable[tuple[Any, ...]]) -> RecordTable:
        """Table of RecordValues in their order."""
        columns = RecordColumns()
        for block in blocks(values):
            columns.extend(*zip(*block, strict=True))
        return cls(columns)

    def with_files(self, files: Iterable[tuple[Any, ...]]) -> RecordTable:
        """The same images, with the FileValues of their files in this order."""
        columns = FileColumns()
        for block in blocks(files):
            columns.extend(*zip(*block, strict=True))
        made = RecordTable(self._columns, columns)
        made._rows, made._file_rows = self._rows, np.arange(len(columns.sha256), dtype=np.int32)
        assert len(made._rows) == len(made._file_rows), "a file for every image"
        return made

    def with_ids(self, pids: np.ndarray, camids: np.ndarray) -> RecordTable:
        """The same images with other ids.

        pids, camids: int64; the ids now are positions in them.
        """
        columns = self._columns.copy()
        columns.pid = array("q", pids[np.frombuffer(columns.pid, np.int64)].tobytes())
        columns.camid = array("q", camids[np.frombuffer(columns.camid, np.int64)].tobytes())
        return self._with(columns)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, number: int) -> ImageRecord: ...
    @overload
    def __getitem__(self, number: slice) -> RecordTable: ...
    def __getitem__(self, number: int | slice) -> ImageRecord | RecordTable:
        if isinstance(number, slice):
            return self.part(number)
        name, path, pid, camid, split, track = self.values(number)
        return ImageRecord(name, Path(path), pid, camid, split, track)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, RecordTable) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        """A part goes to another process without the rest, and without the files."""
        return RecordTable.of_values, ([self.values(number) for number in range(len(self))],)

    def values(self, number: int) -> RecordValues:
        """Values of one record.

        They are cheaper than an ImageRecord, whose path is a Path.
        """
        return self._columns.values(int(self._rows[number]))

    def file_values(self, number: int) -> FileValues:
        assert self._files is not None, "a table without files"
        return self._files.values(int(self._file_rows[number]))

    def file(self, number: int) -> ImageFile:
        """File of one image."""
        return ImageFile(*self.file_values(number))

    @property
    def names(self) -> Texts:
        """Names of the images."""
        return self._columns.name.at(self._rows)

    @property
    def paths(self) -> Texts:
        """Paths of the images."""
        return self._columns.path.at(self._rows)

    @property
    def digests(self) -> DigestColumn:
        """sha256 of the files."""
        assert self._files is not None, "a table without files"
        return self._files.sha256.at(self._file_rows)

    @property
    def pid(self) -> np.ndarray:
        """Identities, int64 [N]."""
        return np.frombuffer(self._columns.pid, np.int64)[self._rows]

    @property
    def camid(self) -> np.ndarray:
        """Cameras, int64 [N]."""
        return np.frombuffer(self._columns.camid, np.int64)[self._rows]

    @property
    def splits(self) -> list[str]:
        """Splits that have an image."""
        return [split for split in self._columns.splits if self.is_of(split).any()]

    @property
    def sizes(self) -> np.ndarray:
        """Width and height of the images in pixels, int64 [N, 2]."""
        assert self._files is not None, "a table without files"
        width, height = (np.frombuffer(side, np.int64) for side in (self._files.width, self._files.height))
        return np.stack([width[self._file_rows], height[self._file_rows]], axis=1)

    def is_of(self, *splits: str) -> np.ndarray:
        """bool [N]: the images of some splits."""
        wanted = [number for split, number in self._columns.splits.items() if split in splits]
        return np.isin(np.frombuffer(self._columns.split, np.uint16)[self._rows], wanted)

    def of_split(self, *splits: str) -> RecordTable:
        """Images of some splits."""
        return self.part(self.is_of(*splits))

    def part(self, chosen: np.ndarray | slice) -> RecordTable:
        """Some of the images. chosen: bool [N], positions int [n], or a slice."""
        made = RecordTable.__new__(RecordTable)
        made._columns, made._files = self._columns, self._files
        made._rows, made._file_rows = self._rows[chosen], self._file_rows[chosen]
        return made

    def by_name(self) -> RecordTable:
        """The same images, sorted by name."""
        names = self.names
        if ascending(names):
            return self
        return self.part(np.array(sorted(range(len(names)), key=names.__getitem__), np.int32))

    def find(self, name: str) -> int | None:
        """Position of the image with a name; None without one.

        The table must be sorted by name.
        """
        names, rows = self._columns.name, self._rows
        position = bisect.bisect_left(range(len(rows)), name, key=lambda number: names[int(rows[number])])
        return position if position < len(rows) and names[int(rows[position])] == name else None

    def tracks(self) -> Iterator[tuple[str, RecordValues]]:
        """Tracks of the images that have one, each with its record."""
        if len(self._columns.track):
            for number in range(len(self)):
                values = self.values(number)
                if values.track:
                    yield values.track, values

    def moved(self, old: Path, new: Path) -> RecordTable:
        """Images of a dataset that was moved, with its present paths.

        old, new: its folder then and now.
        """
        if old == new:
            return self
        columns = self._columns.copy()
        places = map(Path, self._columns.path)
        columns.path = Texts(str(new / p.relative_to(old) if p.is_relative_to(old) else p) for p in places)
        return self._with(columns)

    def _with(self, columns: RecordColumns) -> RecordTable:
        """The same rows of other columns."""
        made = self.part(slice(None))
        made._columns = columns
        return made
