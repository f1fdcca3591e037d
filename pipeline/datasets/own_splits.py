"""Division of a user's pictures into train, val and test, by persons."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.datasets.own_images import OwnImage, OwnImages
from pipeline.errors import UserError
from sorn.config import check

LEAST = 2  # persons in a split; one alone is always found, and trains nothing
QUERY_CAMERA, GALLERY_CAMERA = "0", "1"  # where no cameras are known, so that the filter drops no match


@dataclass(frozen=True)
class SplitOptions:
    """Options of a division.

    test, val: shares of the persons, in [0, 1]. seed: of every choice.
    """

    test: float = 0.5
    val: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check(0 < self.test <= 1, "test", self.test, "a share of the persons above 0, at most 1")
        check(0 <= self.val < 1, "val", self.val, "a share of the persons from 0 to below 1")
        check(self.seed >= 0, "seed", self.seed, "a whole number from 0")


@dataclass(frozen=True)
class ListRow:
    """Row of a list: a picture with its camera and split."""

    path: str
    person: str
    camera: str
    split: str
    track: str


@dataclass
class _Division:
    """Rows so far, and sentences about them."""

    cameras: bool
    rows: list[ListRow] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def add(self, images: list[OwnImage], split: str) -> None:
        instead = QUERY_CAMERA if split in ("train", "query", "val_query") else GALLERY_CAMERA
        for image in images:
            camera = image.camera if self.cameras else instead
            self.rows.append(ListRow(image.path, image.person, camera, split, image.track_name))


class _Parts(NamedTuple):
    """Persons by purpose. others: of train if there is a training, else further persons of the gallery."""

    test: list[str]
    val: list[str]
    others: list[str]
    trains: bool


def divide(found: OwnImages, options: SplitOptions) -> tuple[list[ListRow], list[str]]:
    """Rows of a list, sorted by path, and sentences about the division.

    No person is in two of train, val and test. A person of the test has one query per camera, if a gallery picture of
    another camera remains for each; without cameras it has one query. Raises UserError for fewer than two persons, and
    if fewer than two can be searched.
    """
    persons = _by_person(found)
    if len(persons) < LEAST:
        raise _too_few_persons(found)
    testable = [person for person, images in persons.items() if _queries(images, found.has_cameras)]
    if len(testable) < LEAST:
        raise _nobody_to_search(found, len(testable), len(persons))
    rng = np.random.default_rng(options.seed)
    parts = _chosen(persons, testable, rng, options)
    made = _Division(found.has_cameras)
    for people, query, gallery in ((parts.val, "val_query", "val_gallery"), (parts.test, "query", "gallery")):
        for person in people:
            asked = _queries(persons[person], found.has_cameras, rng)
            made.add([image for image in persons[person] if image.unit in asked], query)
            made.add([image for image in persons[person] if image.unit not in asked], gallery)
    for person in parts.others:
        made.add(persons[person], "train" if parts.trains else "gallery")
    made.said += _said(parts, set(testable), found.has_cameras)
    return sorted(made.rows, key=lambda row: row.path), made.said


def _by_person(found: OwnImages) -> dict[str, list[OwnImage]]:
    persons: dict[str, list[OwnImage]] = defaultdict(list)
    for image in sorted(found.images, key=lambda image: image.path):
        persons[image.person].append(image)
    return dict(sorted(persons.items()))


def _queries(images: list[OwnImage], cameras: bool, rng: np.random.Generator | None = None) -> set[tuple[str, str]]:
    """Pictures or tracks of a person that may be queries; empty if the person cannot be searched.

    rng: chooses among those of a camera; None for the first of each.
    """
    units: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for image in images:
        known = units[image.camera if cameras else ""]
        if image.unit not in known:
            known.append(image.unit)
    chosen: set[tuple[str, str]] = set()
    if not cameras:
        (every,) = units.values()
        return {every[_draw(len(every), rng)]} if len(every) > 1 else chosen
    left = Counter({camera: len(known) for camera, known in units.items()})
    asked: list[str] = []
    for camera, known in sorted(units.items()):
        left[camera] -= 1
        if all(left.total() - left[query] > 0 for query in [*asked, camera]):
            asked.append(camera)
            chosen.add(known[_draw(len(known), rng)])
        else:
            left[camera] += 1
    return chosen


def _draw(count: int, rng: np.random.Generator | None) -> int:
    return 0 if rng is None else int(rng.integers(count))


def _chosen(
    persons: dict[str, list[OwnImage]], testable: list[str], rng: np.random.Generator, options: SplitOptions
) -> _Parts:
    """Persons of the splits; nothing is trained if fewer than two persons remained for it."""
    order = [testable[position] for position in rng.permutation(len(testable))]
    count = min(len(order), max(LEAST, round(options.test * len(persons))))
    most = len(persons) - count - LEAST  # of val, so that train keeps its persons
    val = min(round(options.val * len(persons)), len(order) - count, most)
    test, validation = order[:count], order[count : count + val] if val >= LEAST else []
    others = sorted(persons.keys() - {*test, *validation})
    if len(others) < LEAST or options.test == 1:
        return _Parts(sorted(order), [], sorted(persons.keys() - {*order}), False)
    return _Parts(sorted(test), sorted(validation), others, True)


def _said(parts: _Parts, testable: set[str], cameras: bool) -> list[str]:
    said = []
    alone = [person for person in parts.others if person not in testable]
    if alone:
        where = "train" if parts.trains else "the gallery, where no query means them"
        what = "pictures by two cameras" if cameras else "two pictures"
        said.append(f"persons without {what} cannot be searched; these {len(alone):,} are in {where}")
    if not parts.trains:
        said.append("no training images: with --test 1, or with so few persons, all are for the test")
    if not parts.val:
        said.append("no val: the share --val is less than two persons")
    return said


def _too_few_persons(found: OwnImages) -> UserError:
    form = rf"sorn data from-names {shlex.quote(str(found.folder))} --pattern '(?P<pid>\d+)_c(?P<camid>\d+)'"
    names = f"if the names tell the persons, write their form, such as: {form}"
    if not found.images:
        return UserError(
            f"{found.folder} has no picture of a person ({'; '.join(found.assumed)})", f"Add pictures; or, {names}"
        )
    wrong = f"{found.folder} has pictures of one person only, {found.persons[0]}"
    above = "One person alone is always found. Give the folder above the folders of several persons"
    return UserError(wrong, f"{above}; or, {names}")


def _nobody_to_search(found: OwnImages, testable: int, persons: int) -> UserError:
    what = "by two cameras" if found.has_cameras else "in two pictures"
    wrong = f"{testable} of {persons:,} persons in {found.folder} can be seen {what}, and a test needs {LEAST} or more"
    without = "Add pictures; or, if the names do not mean cameras, add --no-cameras."
    return UserError(wrong, without if found.has_cameras else "Add a second picture of each person.")
