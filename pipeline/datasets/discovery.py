"""Search for the images of a dataset: manifest + folders -> records.

Reads folder listings and lists of names. Every error becomes a Finding, so that one search shows all of them. Nothing
is repaired or skipped silently. Names from the file system are sorted first.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline.datasets import csv_list
from pipeline.datasets.csv_list import EarlierIds
from pipeline.datasets.folders import content_digest, list_images, locate, set_folder
from pipeline.datasets.found import Found
from pipeline.datasets.id_numbers import LARGEST_ID
from pipeline.datasets.image_folder import is_text, shown
from pipeline.datasets.manifest import ImageSet, Manifest
from pipeline.datasets.record_table import RecordColumns, RecordTable, RecordValues
from pipeline.datasets.records import Finding
from pipeline.datasets.records_file import twins
from pipeline.errors import UserError, first_names
from pipeline.io.digests import ContentDigest
from pipeline.io.texts import blocks

# What is wrong with names.
UNPARSED, NO_TEXT = "do not parse", "are no UTF-8 text"
NO_NUMBER, TOO_LARGE = "have a person or a camera that is no number", "have a number of 2^63 or more"
REMEDIES = {
    NO_NUMBER: r"Write \d+ for both into the pattern; or list the images in a CSV: ids there may be any text.",
    TOO_LARGE: "Rename them, with smaller numbers; or list the images in a CSV: ids there may be any text.",
    NO_TEXT: "Rename them: lists and results are kept as UTF-8 text, and would not find them again.",
}


def find_records(manifest: Manifest, data_root: Path, earlier: EarlierIds | None = None) -> Found:
    """All images of a dataset.

    earlier: numbers that the run gave to the names of a CSV before. Raises UserError where there is no dataset at all,
    and for a folder whose path is no text.
    """
    _require_text(find_root(manifest, data_root))
    if manifest.csv:
        return csv_list.find_records(manifest, earlier or EarlierIds())
    place = locate(manifest, data_root)
    if place.lists:
        return _Search(manifest, place.root, f"read through the lists in {place.lists}").by_lists(place.lists)
    return _Search(manifest, place.root, "folders").by_folders()


def find_root(manifest: Manifest, data_root: Path) -> Path:
    """Folder of a dataset, absolute. Raises UserError where there is none."""
    return manifest.csv_path.parent if manifest.csv else locate(manifest, data_root).root


def look(manifest: Manifest, data_root: Path) -> ContentDigest:
    """Digest that changes with the content of any image or list."""
    if manifest.csv:
        return csv_list.content_digest(manifest)
    return content_digest(manifest, locate(manifest, data_root))


@dataclass
class _Search:
    """One search through the folders of a dataset, with its results so far."""

    manifest: Manifest
    root: Path
    source: str
    columns: RecordColumns = field(default_factory=RecordColumns)
    folders: dict[str, Path] = field(default_factory=dict)
    junk: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def by_folders(self) -> Found:
        for image_set in self.manifest.set:
            folder = set_folder(self.root, image_set)
            if folder is None:
                level = "warning" if self.manifest.subset else "error"
                wrong = f"{self.root} has no folder {' or '.join(image_set.folders)}"
                self._say(level, wrong, f"Copy the dataset there again; '{image_set.prefix}' lies in that folder.")
            else:
                names, others = list_images(folder, image_set.nested, self.manifest.extensions)
                self._judge_listing(folder, names, others)
                self._add(image_set, folder, names, partial(os.path.join, folder))
        return self._found()

    def by_lists(self, lists: Path) -> Found:
        """Records of the lists; each points into the original tree, and nothing is copied."""
        assert self.manifest.lists is not None
        fallback = self.root / self.manifest.lists.fallback
        for image_set in self.manifest.set:
            text = (lists / image_set.list).read_bytes().replace(b"\r\n", b"\n")
            digest = hashlib.sha256(text).hexdigest()
            if digest != image_set.list_sha256:
                wrong = f"{lists / image_set.list} is not the published list: sha256 {digest}"
                remedy = f"Expected {image_set.list_sha256}: get {self.manifest.lists.description} again."
                self._say("error", wrong, remedy)
                continue
            folder = set_folder(self.root, image_set) or fallback
            own, other = (set(os.listdir(place)) if place.is_dir() else set() for place in (folder, fallback))
            names = text.decode().split()
            missing = [name for name in names if name not in own and name not in other]
            there = [name for name in names if name in own or name in other]
            self._add(image_set, folder, there, partial(_in_one_of, folder, fallback, own))
            if missing:
                wrong = f"{len(missing):,} of {len(names):,} images of {image_set.list} are neither in {folder} nor in "
                wrong += f"{fallback}: {first_names(missing)}"
                self._say("error", wrong, "Copy the original dataset again.")
        return self._found()

    def _add(self, image_set: ImageSet, folder: Path, images: list[str], place: Callable[[str], str]) -> None:
        """Records for images given as relative names. place: path of one."""
        self.folders[image_set.prefix] = folder
        refused: dict[str, list[str]] = {}

        def values() -> Iterator[RecordValues]:
            for relative in images:
                ids = self._ids(image_set, relative)
                if isinstance(ids, str):
                    refused.setdefault(ids, []).append(relative)
                elif ids[0] in self.manifest.junk_pids:
                    self.junk[image_set.prefix] = self.junk.get(image_set.prefix, 0) + 1
                else:
                    yield RecordValues(image_set.prefix + relative, place(relative), *ids, image_set.split)

        for block in blocks(values()):
            self.columns.extend(*zip(*block, strict=True))
        for reason, names in refused.items():
            wrong = f"{len(names):,} of {len(images):,} names in {folder} {reason}: {first_names(names)}"
            self._say("error", wrong, REMEDIES.get(reason) or self._name_remedy(names))

    def _ids(self, image_set: ImageSet, name: str) -> tuple[int, int] | str:
        """Person and camera of an image, or why there are none."""
        stem, extension = os.path.splitext(name.rpartition("/")[2])
        match = self.manifest.name_pattern.fullmatch(stem + extension.lower())
        if match is None:
            return UNPARSED
        try:
            pid, camid = int(match["pid"]), int(match["camid"]) if image_set.camera is None else image_set.camera
        except (TypeError, ValueError):
            return NO_NUMBER
        if max(abs(pid), abs(camid)) > LARGEST_ID:
            return TOO_LARGE
        return (pid, camid) if is_text(name) else NO_TEXT

    def _name_remedy(self, unparsed: list[str]) -> str:
        hints = [h.text for h in self.manifest.hint if any(_matches(h.pattern, name) for name in unparsed)]
        return ("; ".join(hints) or f"Rename or remove them; names must match {self.manifest.pattern}") + "."

    def _judge_listing(self, folder: Path, names: list[str], others: list[str]) -> None:
        """Findings about a folder: no image, one image twice, files of another kind."""
        kinds = " or ".join(self.manifest.extensions)
        if not names:
            wrong = f"{folder} holds no {kinds} image"
            wrong += f", but {len(others):,} other files: {first_names(others)}" if others else ""
            self._say("error", wrong, "Copy the dataset there again.")
        elif others:
            self._say("note", f"{len(others):,} other files in {folder} are left alone: {first_names(others)}")
        alike = twins(names)
        stems: dict[str, str] = {}
        twice = []
        for name in (name for name in names if name in alike):
            first = stems.setdefault(os.path.splitext(name)[0], name)
            if first != name:
                twice.append(f"{first} and {name}")
        if twice:
            wrong = f"{len(twice):,} images in {folder} are there twice: {first_names(twice)}"
            self._say("error", wrong, "Keep one file of each.")

    def _say(self, level: str, wrong: str, remedy: str = "") -> None:
        self.findings.append(Finding(level, wrong, remedy))

    def _found(self) -> Found:
        records = RecordTable(self.columns).by_name()
        return Found(self.root, self.source, records, self.folders, self.junk, self.findings)


def _require_text(root: Path) -> None:
    if not is_text(str(root)):
        raise UserError(f"the path {shown(str(root))} is no UTF-8 text", "Rename the folder: records.csv holds paths.")


def _in_one_of(folder: Path, fallback: Path, own: set[str], name: str) -> str:
    """Path of a file in a folder, or in another one. own: the names in the first."""
    return os.path.join(folder if name in own else fallback, name)


def _matches(pattern: str, name: str) -> bool:
    return re.match(pattern, PurePosixPath(name).name) is not None
