"""Files of another tool, one for each image, below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.datasets.coco.image_names import path_ends, paths_of
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError


class ImageFiles:
    """Files with the names of the images.

    ends: of the names, in the order in which they are tried, each after the image's path below the dataset's folder,
    after its name, and after the ends of both (a/b.jpg, b.jpg), with and without the suffix. pattern: the one form of
    the names instead, {path} being the image's path without its suffix. root: the dataset's folder. option: that names
    the folder, and what: the content of the files, for messages.
    """

    def __init__(self, folder: Path, ends: Sequence[str], pattern: str, root: Path, option: str, what: str) -> None:
        self.folder, self.root, self.option, self.what = folder, root, option, what
        self.ends, self.pattern = tuple(ends), pattern
        self.listed: dict[str, dict[str, str]] = {}

    def find(self, record: ImageRecord) -> Path | None:
        """The file of an image, or None."""
        image = str(record.path)
        found = (self._on_disk(os.path.join(self.folder, name)) for name in self._names(record))
        path = next((path for path in found if path and path != image), "")
        return Path(path) if path else None

    def require(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """Images without a file, after a new look at the folders.

        Raises UserError if no image has one, or two images have the same.
        """
        self.listed.clear()
        users: dict[Path, ImageRecord] = {}
        missing = []
        for record in records:
            path = self.find(record)
            if path is None:
                missing.append(record)
            elif users.setdefault(path, record) is not record:
                wrong = f"{path} has the name of two images, {users[path].name} and {record.name}"
                remedy = f"Write the {self.what} with the images' paths below {self.root}."
                raise UserError(wrong, remedy)
        if missing and not users:
            raise self._none_found(missing[0], len(records))
        return missing

    def _names(self, record: ImageRecord) -> Iterator[str]:
        """Names that the file of an image may have, below the folder."""
        paths = [path.as_posix() for path in paths_of(record, self.root)]
        for path in dict.fromkeys(end for whole in paths for end in path_ends(whole)):
            stem = os.path.splitext(path)[0]
            if self.pattern:
                yield self.pattern.format(path=stem)
            else:
                yield from (name + end for name in (path, stem) for end in self.ends)

    def _none_found(self, record: ImageRecord, total: int) -> UserError:
        first, option = self.folder / next(self._names(record)), self.option
        wrong = f"none of {total:,} images has a file of {self.what}: no {first}"
        beside, stem = self._beside(record)
        if beside:
            key, form = f"{option}_pattern", f"{{path}}{beside[len(stem) :]}"
            return UserError(f"{wrong}, but {beside} is there", f"If it is that file: --set '{key}={form}'")
        whole = sorted(path.name for path in self.folder.glob("*.json"))
        if len(whole) == 1:
            remedy = f"If it is of all images, name it: --set {option}={self.folder / whole[0]}"
            return UserError(f"{wrong}, but {whole[0]} is there", remedy)
        return UserError(wrong, f"Name the folder that was made from these images: --set {option}=FOLDER")

    def _beside(self, record: ImageRecord) -> tuple[str, str]:
        """A file that begins with the image's name, though `find` does not expect it, and that name; "" for none."""
        for path in paths_of(record, self.root):
            folder, stem = (self.folder / path).parent, path.stem
            there = sorted(os.listdir(folder)) if folder.is_dir() else []
            for name in there:
                follows = name[len(stem) : len(stem) + 1]
                if name.startswith(stem) and not follows.isalnum() and folder / name != record.path:
                    return name, stem
        return "", ""

    def _on_disk(self, path: str) -> str:
        """File of that name, in any capitals; "" for none. Folders are listed once."""
        folder, name = os.path.split(path)
        if folder not in self.listed:
            there = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
            self.listed[folder] = {one.lower(): one for one in there} | {one: one for one in there}
        found = self.listed[folder].get(name) or self.listed[folder].get(name.lower())
        found = os.path.join(folder, found) if found else ""
        return found if found and os.path.isfile(found) else ""
