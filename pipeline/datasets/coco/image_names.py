"""Images of a dataset by the names that other tools give them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from pipeline.datasets.coco.entries import Entry, EntryFile, Key
from pipeline.datasets.records import ImageRecord
from pipeline.errors import UserError


class ImageNames:
    """Names of the images of a dataset.

    They are every end of the paths, with and without the suffix: a tool may write a path from another machine, a path
    below some folder, the name alone, or the name without its suffix. root: the dataset's folder.
    """

    def __init__(self, records: Sequence[ImageRecord], root: Path) -> None:
        self.records = list(records)
        self.ends: dict[str, set[int]] = defaultdict(set)
        self.numbers: dict[int, set[int]] = defaultdict(set)
        for number, record in enumerate(self.records):
            for path in paths_of(record, root):
                for end in path_ends(path.as_posix()):
                    self.ends[end].add(number)
                    self.ends[_stem(end)].add(number)
            if record.path.stem.isdecimal():  # YOLO makes a number of such a name
                self.numbers[int(record.path.stem)].add(number)

    def group(self, file: EntryFile, option: str, images_option: str) -> dict[str, list[Entry]]:
        """Entries of each image, in the order of the file.

        Name of the record -> its entries. An image of another split, whose name alone is that of one of these, is not
        taken for it. option: that names the file, for messages; images_option: the one for a list of images. Raises
        UserError if entries have no image, if a name may mean two images, and if the file has none of the images.
        """
        keys: dict[Key, tuple[int, int]] = {}
        for entry in file.entries:
            if entry.image is None:
                keys_there = ", ".join(list(entry.fields)[:4]) or "none"
                remedy = f"If there is one such file per image, name their folder: --set {option}=FOLDER"
                raise entry.damaged(f"names no image: it has no image_id or file_name, but {keys_there}", remedy)
            if entry.image not in keys:
                keys[entry.image] = self._find(entry, images_option)
        deepest = max((depth for depth, _ in keys.values()), default=0)
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in file.entries:
            assert entry.image is not None
            depth, number = keys[entry.image]
            if depth and depth >= min(deepest, len(_parts(entry.image))):
                groups[self.records[number].name].append(entry)
        if not groups:
            raise self._none_found(file, option, images_option)
        return groups

    def _find(self, entry: Entry, images_option: str) -> tuple[int, int]:
        """How many names at the end of the path agree, 0 for none, and the number of the record."""
        key = entry.image
        if isinstance(key, int):
            found = self.numbers.get(key)
            if not found:
                remedy = f"Name the JSON whose list `images` has its file_name: --set {images_option}=FILE"
                raise entry.damaged(f"has the image_id {key}, a number that no list of images explains", remedy)
            return 1, self._only(entry, found)
        assert key is not None
        for end in path_ends("/".join(_parts(key))):
            if found := self.ends.get(end) or self.ends.get(_stem(end)):
                return end.count("/") + 1, self._only(entry, found)
        return 0, 0

    def _only(self, entry: Entry, found: set[int]) -> int:
        if len(found) > 1:
            first, second = (self.records[number].name for number in sorted(found)[:2])
            remedy = "Write the paths below the dataset's folder into image_id or file_name."
            raise entry.damaged(f"is of the image {entry.image!r}, which may be {first} or {second}", remedy)
        return next(iter(found))

    def _none_found(self, file: EntryFile, option: str, images_option: str) -> UserError:
        of = f"none of the {len(self.records):,} images that are labelled"
        if not file.entries:
            return UserError(
                f"{file.path} holds no people or masks, so {of}", f"Name another file: --set {option}=FILE"
            )
        first, ours = file.entries[0].image, self.records[0].name if self.records else "none"
        remedy = f"Name the file that was made from these images: --set {option}=FILE"
        return UserError(f"{file.path} has {of}: its first image is {first!r}, the dataset's {ours!r}", remedy)


def paths_of(record: ImageRecord, root: Path) -> list[PurePosixPath]:
    """Path of an image below the dataset's folder, and its name."""
    inside = [record.path.relative_to(root).as_posix()] if record.path.is_relative_to(root) else []
    return [PurePosixPath(path) for path in (*inside, record.name)]


def _parts(key: Key) -> list[str]:
    return [part for part in str(key).replace("\\", "/").split("/") if part not in ("", ".", "..")]


def path_ends(path: str) -> Iterator[str]:
    """A path, then its ends: a/b/c, b/c, c."""
    parts = path.split("/")
    return ("/".join(parts[start:]) for start in range(len(parts)))


def _stem(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix() if path else ""
