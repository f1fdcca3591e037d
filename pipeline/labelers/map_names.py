"""Names of the files that hold the label maps of images.

Reads folder listings only.
"""

from __future__ import annotations

import bisect
import itertools
import os
from pathlib import Path, PurePath

from pipeline.datasets.mask_files import OTHER_SUFFIXES, SUFFIXES
from pipeline.datasets.records import ImageRecord

PATH, NAME = "{path}", "{name}"  # what a pattern can hold: an image's path, or its file's name alone
CUT = 4  # letters that SCHP takes for the suffix of every image: x.jpeg becomes "x."


class MapNames:
    """Names of the label maps of a dataset.

    folder: of the maps. root: the dataset's folder. patterns: such as {path}_seg.npy, the first that is there counts.
    """

    def __init__(self, folder: Path, root: Path, patterns: tuple[str, ...]) -> None:
        self.folder, self.root, self.patterns = folder, root, patterns
        self.listed: dict[Path, list[str]] = {}
        self.names: dict[Path, frozenset[str]] = {}
        self.spelled: dict[Path, dict[str, str]] = {}  # name with its suffix in small letters -> name with capitals

    def clear(self) -> None:
        """Forget the listings of the folders."""
        self.listed.clear()
        self.names.clear()
        self.spelled.clear()

    def find(self, record: ImageRecord) -> Path | None:
        """The image's label map, or None.

        One with the image's whole name (a.jpg.png) comes before one without its suffix, and that before one whose name
        the tool has cut.
        """
        places = [*self._names(record), *self._stems(record), *self._cut(record)]
        candidates = (self._filled(pattern, place) for place in places for pattern in self.patterns)
        return next((path for candidate in candidates if (path := self._on_disk(candidate))), None)

    def expected(self, record: ImageRecord) -> Path:
        """Path at which a label map would be found."""
        return self._filled(self.patterns[0], self._stems(record)[-1])

    def beside(self, record: ImageRecord) -> tuple[Path, str] | None:
        """File that may be the image's map, and its pattern."""
        return next(iter(self.alike(record)), None)

    def alike(self, record: ImageRecord) -> list[tuple[Path, str]]:
        """Files whose names begin like the image's, with their patterns.

        The likeliest comes first.
        """
        flat = [PurePath(place.name) for place in (*self._stems(record)[-1:], *self._cut(record)[-1:])]
        found = []
        for place, form in (*((place, PATH) for place in self._stems(record)), *((place, NAME) for place in flat)):
            folder = (self.folder / place).parent
            ends = [name[len(place.name) :] for name in self._beginning(folder, place.name)]
            ends = [end for end in ends if not end[:1].isalnum() and folder / f"{place.name}{end}" != record.path]
            for kinds in (SUFFIXES, OTHER_SUFFIXES):
                alike = [end for end in ends if end.lower().endswith(kinds) and (folder / (place.name + end)).is_file()]
                found += [(folder / f"{place.name}{end}", form + end) for end in alike]
        return found

    def _filled(self, pattern: str, place: PurePath) -> Path:
        return self.folder / pattern.format(path=place.as_posix(), name=place.name)

    def _names(self, record: ImageRecord) -> list[PurePath]:
        """Path of an image below the dataset's folder, and its name."""
        inside = [record.path.relative_to(self.root)] if record.path.is_relative_to(self.root) else []
        return [*inside, PurePath(record.name)]

    def _stems(self, record: ImageRecord) -> list[PurePath]:
        """Paths of an image without its suffix."""
        return [place.with_suffix("") for place in self._names(record)]

    def _cut(self, record: ImageRecord) -> list[PurePath]:
        """Paths of an image as SCHP cuts them, and as Sapiens does, at the first dot of the name."""
        names = self._names(record)
        return [
            *(place.with_name(place.name[:-CUT]) for place in names if len(place.name) > CUT),
            *(place.with_name(start) for place in names if (start := place.name.partition(".")[0])),
        ]

    def _on_disk(self, path: Path) -> Path | None:
        """File of that name, its suffix in any capitals."""
        folder, name = path.parent, path.name
        if folder not in self.spelled:
            there = self._listing(folder)
            self.names[folder] = frozenset(there)
            self.spelled[folder] = {_quiet(one): one for one in there if _quiet(one) != one}
        names, spelled, quiet = self.names[folder], self.spelled[folder], _quiet(name)
        found = name if name in names else spelled.get(name) or (quiet if quiet in names else spelled.get(quiet))
        return folder / found if found and (folder / found).is_file() else None

    def _listing(self, folder: Path) -> list[str]:
        """Names in a folder, sorted. It is listed once."""
        if folder not in self.listed:
            self.listed[folder] = sorted(os.listdir(folder)) if folder.is_dir() else []
        return self.listed[folder]

    def _beginning(self, folder: Path, start: str) -> list[str]:
        """Names in a folder that begin so."""
        names = self._listing(folder)
        first = bisect.bisect_left(names, start)
        return list(itertools.takewhile(lambda name: name.startswith(start), itertools.islice(names, first, None)))


def is_pattern(pattern: str) -> bool:
    """Whether a pattern names another file for every image.

    The file must be of a kind that is read.
    """
    try:
        named = [pattern.format(path=text, name=text) for text in ("a", "b")]
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        return False
    return named[0] != named[1] and pattern.lower().endswith(SUFFIXES)


def _quiet(name: str) -> str:
    """Name with its suffix in small letters."""
    start, end = os.path.splitext(name)
    return start + end.lower()
