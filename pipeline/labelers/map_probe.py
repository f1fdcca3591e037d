"""Probe of another tool's files: names, formats, sizes, ids, tables.

Reads a sample of the files, and the headers of their images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import numpy as np

from pipeline.datasets.class_tables import HANDS, load_table
from pipeline.datasets.folders import list_images
from pipeline.datasets.image_files import read_size
from pipeline.datasets.mask_files import SUFFIXES
from pipeline.datasets.mask_sizes import LETTERBOXED, PADDED, SHAPE, STRETCHED, same_shape, shown
from pipeline.datasets.records import ImageRecord
from pipeline.datasets.table_fit import CLEARLY, IdStatistics, TableFit, fit_shipped
from pipeline.errors import UserError
from pipeline.labelers.import_checks import evenly
from pipeline.labelers.import_masks import DEFAULT_PATTERNS
from pipeline.labelers.map_names import NAME, PATH, MapNames
from pipeline.labelers.seen_map import IDS, KINDS, LARGEST_ID, SCORES, SeenMap, see, voids

SAMPLE = 40  # files of each form of names that are looked at
NAMED_IMAGES = 200  # images whose files show the forms of the names
FORMS = 6  # of names that are looked at
END = re.compile(r"([-_][A-Za-z]+)?\.+[A-Za-z_.]*$")  # of a name behind its image's: _seg.npy, .jpg.png
COMMON = 0.1  # of the files have one end; what fewer have is a part of the image's name
OUTSIDE = 0.01  # of the person may lie outside the part of a map that shows the image
LYING = "The maps lie on their side: turn the images as their orientation tags say, before the tool reads them."
Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class ProbedImages:
    """Images that the files may belong to.

    root: the dataset's folder. dataset: as in DATASET=, "" for a folder.
    """

    root: Path
    records: Sequence[ImageRecord]
    dataset: str = ""


@dataclass(frozen=True)
class NameForm:
    """Files whose names have one form.

    pattern: as the option takes it. files: their number; with images, that of the images that have one. sample: files
    that were looked at. sizes: (h, w) of the image of each, None where that is not known.
    """

    pattern: str
    files: int
    sample: tuple[SeenMap, ...]
    sizes: tuple[Size | None, ...]

    @property
    def kind(self) -> str:
        """The most frequent kind of the sample."""
        counts = Counter(seen.kind for seen in self.sample)
        return max(KINDS, key=lambda kind: (counts[kind], -KINDS.index(kind)))

    def of_kind(self) -> list[tuple[SeenMap, Size | None]]:
        """Files of that kind, with the sizes of their images."""
        return [(seen, size) for seen, size in zip(self.sample, self.sizes, strict=True) if seen.kind == self.kind]


@dataclass(frozen=True)
class MapProbe:
    """What the files of a folder look like.

    files: end of the names -> number. images: number of the images, 0 where none were given. dataset: as in DATASET=.
    forms: of the names, the likeliest first. fit, channel, ignore: options of the first. unclear: what no option
    tells, in words. statistics: its ids. tables: judgement of the shipped tables, the best first.
    """

    folder: Path
    files: dict[str, int]
    images: int
    dataset: str
    forms: tuple[NameForm, ...]
    fit: str = SHAPE
    channel: str = ""
    ignore: tuple[int, ...] = ()
    unclear: tuple[str, ...] = ()
    statistics: IdStatistics = field(default_factory=IdStatistics)
    tables: tuple[TableFit, ...] = ()

    @property
    def table(self) -> str:
        """Table to choose; "" where none fits."""
        if self.forms[0].kind == SCORES:
            return self.forms[0].of_kind()[0][0].table
        return self.tables[0].name if self.tables and not self.tables[0].contradiction else ""

    @property
    def alike(self) -> list[str]:
        """Other tables that fit as well, and give another mask."""
        if not self.table or not self.tables:
            return []
        best, *others = (fit for fit in self.tables if not fit.contradiction)
        seen = sorted(self.statistics.pixels)
        ours = load_table(best.name, next(iter(HANDS)))[seen].tolist()
        near = [fit.name for fit in others if fit.wrong <= best.wrong + CLEARLY]
        return [name for name in near if load_table(name, next(iter(HANDS)))[seen].tolist() != ours]

    @property
    def options(self) -> tuple[str, ...]:
        """Settings of the labeler `import`, as for --set.

        The table is mine.csv where none fits.
        """
        form = self.forms[0]
        given = {"folder": str(self.folder), "table": self.table or "mine.csv", "channel": self.channel}
        given["pattern"] = "" if form.pattern in DEFAULT_PATTERNS else form.pattern
        given["fit"] = "" if self.fit == SHAPE else self.fit
        given["ignore"] = "" if not self.ignore else "[" + ",".join(map(str, self.ignore)) + "]"
        return tuple(f"masks.options.{name}={value}" for name, value in given.items() if value)


def probe(folder: Path, images: ProbedImages | None = None) -> MapProbe:
    """Probe of a folder of label maps.

    Raises UserError for a folder that is not there or has no file of a kind that is read, and where no file can be
    brought together with an image.
    """
    names, files = _listed(folder)
    forms = _by_image(folder, images) if images else _by_name(folder, names)
    if images and not forms:
        wrong = f"no image of {images.root} has a file below {folder}, where {names[0]} is the first"
        raise UserError(wrong, "Name the images that the files were made from: --images DATASET, or their folder.")
    usual = [KINDS.index(form.kind) for form in forms]
    order = sorted(range(len(forms)), key=lambda number: (usual[number], -forms[number].files))
    forms = [forms[number] for number in order]
    count, dataset = (len(images.records), images.dataset) if images else (0, "")
    found = MapProbe(folder, files, count, dataset, tuple(forms))
    return found if forms[0].kind != IDS else _with_ids(found, forms[0])


def _listed(folder: Path) -> tuple[list[str], dict[str, int]]:
    """Files that may hold label maps, sorted, and the number of all by the ends of their names."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}", "Name the folder that the other tool wrote.")
    names, others = list_images(folder, True, SUFFIXES)
    files = Counter(PurePath(name).suffix.lower() for name in [*names, *others])
    if not names:
        kinds = ", ".join(f"{number:,} {end}" for end, number in files.most_common(FORMS)) or "it is empty"
        raise UserError(f"{folder} has no file that can be a label map: {kinds}", "Save the ids as PNG or .npy.")
    return names, dict(files)


def _by_image(folder: Path, images: ProbedImages) -> list[NameForm]:
    usual = MapNames(folder, images.root, DEFAULT_PATTERNS)
    patterns: Counter[str] = Counter()
    for record in evenly(images.records, NAMED_IMAGES):
        patterns.update({pattern for path, pattern in usual.alike(record) if path.suffix.lower() in SUFFIXES})
    found: dict[tuple[Path, ...], NameForm] = {}
    for pattern, _ in sorted(patterns.items(), key=lambda entry: (-entry[1], entry[0].startswith(NAME)))[:FORMS]:
        names = MapNames(folder, images.root, (pattern,))
        pairs = [(record, path) for record in images.records if (path := names.find(record)) is not None]
        chosen = evenly(pairs, SAMPLE)
        sizes = tuple(_size(record.path) for record, _ in chosen)
        if all(usual.find(record) == path for record, path in pairs):
            pattern = PATH + PurePath(pattern).suffix  # it is found without the option
        form = NameForm(pattern, len(pairs), tuple(see(path) for _, path in chosen), sizes)
        found.setdefault(tuple(path for _, path in pairs), form)
    return [form for form in found.values() if form.files]


def _by_name(folder: Path, names: Sequence[str]) -> list[NameForm]:
    ends = {name: match[0] if (match := END.search(name)) else PurePath(name).suffix for name in names}
    frequent = {end for end, number in Counter(ends.values()).items() if number >= COMMON * len(names)}
    place = PATH if any("/" in name for name in names) else NAME
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(place + (ends[name] if ends[name] in frequent else PurePath(name).suffix), []).append(name)
    found = []
    for pattern, group in sorted(groups.items(), key=lambda one: (-len(one[1]), one[0]))[:FORMS]:
        sample = tuple(see(folder / name) for name in evenly(group, SAMPLE))
        found.append(NameForm(pattern, len(group), sample, (None,) * len(sample)))
    return found


def _size(image: Path) -> Size | None:
    try:
        width, height = read_size(image)
    except UserError:
        return None
    return height, width


def _with_ids(found: MapProbe, form: NameForm) -> MapProbe:
    """The probe with what the ids of a form tell."""
    seen = [(one, size) for one, size in form.of_kind() if one.ids is not None]
    maps = [(one.ids, size) for one, size in seen if one.ids is not None]
    fit, unclear = _fit(maps)
    parts = [shown(ids, size, fit) if size and fit != SHAPE else ids for ids, size in maps]
    void = sorted({value for ids in parts for value in voids(ids)})
    statistics = IdStatistics()
    for ids in parts:
        statistics.add(np.where(np.isin(ids, void), 0, ids))
    channel = Counter(one.channel for one, _ in seen).most_common(1)[0][0]
    return replace(
        found,
        fit=fit,
        unclear=unclear,
        channel=channel,
        ignore=tuple(void),
        statistics=statistics,
        tables=tuple(fit_shipped(statistics)),
    )


def _fit(maps: Sequence[tuple[np.ndarray, Size | None]]) -> tuple[str, tuple[str, ...]]:
    """How the images lie in their maps, and what is unclear about it."""
    known = [(ids, size) for ids, size in maps if size]
    other = [(ids, size) for ids, size in known if not same_shape(ids.shape, size)]
    if 2 * len(other) < len(known) or not known:
        return SHAPE, ((f"{len(other)} of {len(known)} have another shape than their image.",) if other else ())
    if all(same_shape(ids.shape[::-1], size) for ids, size in other):
        return SHAPE, (LYING,)
    if len({ids.shape for ids, _ in known}) > 1:
        return SHAPE, ("The maps have other shapes than their images, and not all one: they show other images.",)
    possible = [fit for fit in (LETTERBOXED, PADDED) if all(_lies_inside(ids, size, fit) for ids, size in known)]
    if len(possible) == 1:
        return possible[0], ()
    unclear = f"The images may lie in their maps as fit={' or fit='.join(possible)}: look at one." if possible else ""
    return (possible[0] if possible else STRETCHED), ((unclear,) if unclear else ())


def _lies_inside(ids: np.ndarray, size: Size, fit: str) -> bool:
    person = (ids > 0) & (ids <= LARGEST_ID)
    inside = np.count_nonzero(shown(person, size, fit))
    return bool(inside >= (1 - OUTSIDE) * np.count_nonzero(person))
