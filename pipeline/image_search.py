"""The search for a dataset's images: manifest + folders -> records. Reads folder listings and lists of names.

Everything that is wrong is collected as a Finding, so that one look shows all of it; nothing is repaired or skipped in
silence. What the file system gives is sorted first.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline import csv_dataset, stamp
from pipeline.errors import UserError
from pipeline.manifest import ImageSet, Manifest
from pipeline.records import Finding, Found, ImageRecord

# Left by file managers in copies of datasets. Names that begin with a dot are left alone as quietly.
LEFTOVERS = ("thumbs.db", "desktop.ini")
EXAMPLES = 3


def find_records(manifest: Manifest, data_root: Path) -> Found:
    """All images of a dataset. Raises UserError where there is no dataset at all."""
    if manifest.csv:
        return csv_dataset.find_records(manifest)
    data_root = data_root.absolute()
    root = _find_root(manifest.roots, manifest.set, data_root)
    complete = root is not None and all(_folder(root, image_set) for image_set in manifest.set)
    if manifest.lists and not complete:
        lists = _find_folder(manifest.lists.folders, [image_set.list for image_set in manifest.set], data_root)
        original = _find_root(manifest.lists.roots, manifest.set, data_root)
        if lists and original:
            return _Search(manifest, original, f"{original}, read through the lists in {lists}").by_lists(lists)
        if root is None:
            raise _nothing_for_lists(manifest, data_root, lists, original)
    if root is None:
        raise UserError(
            f"{manifest.name}: no dataset folder under {data_root}",
            f"Expected one of {', '.join(manifest.roots)} there; set DATA_ROOT to the folder that holds it.",
        )
    return _Search(manifest, root, "folders").by_folders()


def listing_digest(found: Found) -> str:
    """sha256 over names, sizes and times of all images: tells a changed dataset without opening an image."""
    listing: list[object] = []
    for record in found.records:
        status = record.path.stat()
        listing.append([record.name, record.pid, record.camid, status.st_size, status.st_mtime_ns])
    return stamp.digest_json([listing, found.junk, [finding.wrong for finding in found.findings]])


@dataclass
class _Search:
    """One pass over a dataset's folders, and what came of it so far."""

    manifest: Manifest
    root: Path
    source: str
    records: list[ImageRecord] = field(default_factory=list)
    folders: dict[str, Path] = field(default_factory=dict)
    junk: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def by_folders(self) -> Found:
        for image_set in self.manifest.set:
            folder = _folder(self.root, image_set)
            if folder is None:
                level = "warning" if self.manifest.subset else "error"
                wrong = f"{self.root} has no folder {' or '.join(image_set.folders)}"
                self._say(level, wrong, f"Copy the dataset there again; '{image_set.prefix}' lies in that folder.")
            else:
                names, others = _images(folder, image_set.nested, self.manifest.extensions)
                self._judge_listing(folder, names, others)
                self._add(image_set, folder, [(name, folder / name) for name in names])
        return self._found()

    def by_lists(self, lists: Path) -> Found:
        """The records of the lists, each pointing into the original tree; nothing is copied."""
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
            folder = _folder(self.root, image_set) or fallback
            own, other = (set(os.listdir(place)) if place.is_dir() else set() for place in (folder, fallback))
            names = text.decode().split()
            missing = [name for name in names if name not in own and name not in other]
            there = [name for name in names if name in own or name in other]
            self._add(image_set, folder, [(name, (folder if name in own else fallback) / name) for name in there])
            if missing:
                wrong = f"{len(missing):,} of {len(names):,} images of {image_set.list} are neither in {folder} nor in "
                wrong += f"{fallback}: {_examples(missing)}"
                self._say("error", wrong, "Copy the original dataset again.")
        return self._found()

    def _add(self, image_set: ImageSet, folder: Path, images: list[tuple[str, Path]]) -> None:
        """images: relative name, path."""
        self.folders[image_set.prefix] = folder
        unparsed = []
        for relative, path in images:
            base = PurePosixPath(relative)
            match = self.manifest.name_pattern.fullmatch(base.stem + base.suffix.lower())
            if match is None:
                unparsed.append(relative)
                continue
            pid = int(match["pid"])
            if pid in self.manifest.junk_pids:
                self.junk[image_set.prefix] = self.junk.get(image_set.prefix, 0) + 1
                continue
            camid = int(match["camid"]) if image_set.camera is None else image_set.camera
            self.records.append(ImageRecord(image_set.prefix + relative, path, pid, camid, image_set.split))
        if unparsed:
            wrong = f"{len(unparsed):,} of {len(images):,} names in {folder} do not parse: {_examples(unparsed)}"
            hints = [h.text for h in self.manifest.hint if any(_matches(h.pattern, name) for name in unparsed)]
            remedy = "; ".join(hints) or f"Rename or remove them; names must match {self.manifest.pattern}"
            self._say("error", wrong, remedy + ".")

    def _judge_listing(self, folder: Path, names: list[str], others: list[str]) -> None:
        """What the listing of a folder tells: no image, one image twice, files of another kind."""
        kinds = " or ".join(self.manifest.extensions)
        if not names:
            wrong = f"{folder} holds no {kinds} image"
            wrong += f", but {len(others):,} other files: {_examples(others)}" if others else ""
            self._say("error", wrong, "Copy the dataset there again.")
        elif others:
            self._say("note", f"{len(others):,} other files in {folder} are left alone: {_examples(others)}")
        stems: dict[str, str] = {}
        twice = []
        for name in names:
            first = stems.setdefault(os.path.splitext(name)[0], name)
            if first != name:
                twice.append(f"{first} and {name}")
        if twice:
            wrong = f"{len(twice):,} images in {folder} are there twice: {_examples(twice)}"
            self._say("error", wrong, "Keep one file of each.")

    def _say(self, level: str, wrong: str, remedy: str = "") -> None:
        self.findings.append(Finding(level, wrong, remedy))

    def _found(self) -> Found:
        records = sorted(self.records, key=lambda record: record.name)
        return Found(self.root, self.source, records, self.folders, self.junk, self.findings)


def _folder(root: Path, image_set: ImageSet) -> Path | None:
    return next((root / name for name in image_set.folders if (root / name).is_dir()), None)


def _candidates(names: Iterable[str], data_root: Path) -> list[Path]:
    """Folders of these names that exist; DATA_ROOT itself may be one."""
    own = [data_root] if data_root.name in {PurePosixPath(name).name for name in names} else []
    return [folder for folder in [*(data_root / name for name in names), *own] if folder.is_dir()]


def _find_root(names: Iterable[str], sets: tuple[ImageSet, ...], data_root: Path) -> Path | None:
    """The first folder of these names with most of the sets' folders; None if none has one."""
    held = {
        root: sum(_folder(root, image_set) is not None for image_set in sets) for root in _candidates(names, data_root)
    }
    best = max(held, key=lambda root: held[root], default=None)
    return best if best is not None and held[best] else None


def _find_folder(names: Iterable[str], files: list[str], data_root: Path) -> Path | None:
    """The first folder of these names that holds all the files."""
    return next((f for f in _candidates(names, data_root) if all((f / file).is_file() for file in files)), None)


def _nothing_for_lists(manifest: Manifest, data_root: Path, lists: Path | None, original: Path | None) -> UserError:
    assert manifest.lists is not None
    wrong = f"{manifest.name}: no dataset folder under {data_root}"
    if lists or original:
        wrong += f"; found {f'the lists in {lists}' if lists else f'{original}'}, which is half of what it takes"
    files = ", ".join(image_set.list for image_set in manifest.set)
    return UserError(
        wrong,
        f"Expected a converted tree in one of {', '.join(manifest.roots)}; or an original tree in one of "
        f"{', '.join(manifest.lists.roots)} together with {manifest.lists.description} ({files}) in one of "
        f"{', '.join(manifest.lists.folders)}.",
    )


def _images(folder: Path, nested: bool, extensions: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Sorted relative names in a folder: images, other files. Leftovers of file managers are in neither."""
    images: list[str] = []
    others: list[str] = []
    for name in sorted(_walk(str(folder), "", nested)):
        base = name.rpartition("/")[2].lower()
        if base.startswith(".") or base in LEFTOVERS:
            continue
        (images if os.path.splitext(base)[1] in extensions else others).append(name)
    return images, others


def _walk(folder: str, prefix: str, nested: bool) -> Iterable[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name
            elif nested:
                yield from _walk(entry.path, f"{prefix}{entry.name}/", nested)


def _matches(pattern: str, name: str) -> bool:
    return re.match(pattern, PurePosixPath(name).name) is not None


def _examples(names: list[str]) -> str:
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")
