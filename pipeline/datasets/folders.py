"""Location of a dataset: its folders under DATA_ROOT and their files.

Reads folder listings only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.datasets.manifest import ImageSet, Manifest
from pipeline.errors import UserError
from pipeline.io.digests import ContentDigest, digest_files
from pipeline.io.texts import Texts

# Left by file managers in copies of datasets. Names that begin with a dot are left alone as quietly.
LEFTOVERS = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class DatasetFolder:
    """Folder of a dataset on this machine.

    root: the folder with the images. lists: the folder of the lists that select images from root; None where the images
    are read directly.
    """

    root: Path
    lists: Path | None = None


def locate(manifest: Manifest, data_root: Path) -> DatasetFolder:
    """Location of a dataset of folders.

    Raises UserError where there is none.
    """
    data_root = data_root.absolute()
    root = _find_root(manifest.roots, manifest.set, data_root)
    complete = root is not None and all(set_folder(root, image_set) for image_set in manifest.set)
    if manifest.lists and not complete:
        lists = _find_folder(manifest.lists.folders, [image_set.list for image_set in manifest.set], data_root)
        original = _find_root(manifest.lists.roots, manifest.set, data_root)
        if lists and original:
            return DatasetFolder(original, lists)
        if root is None:
            raise _nothing_for_lists(manifest, data_root, lists, original)
    if root is None:
        raise UserError(
            f"{manifest.name}: no dataset folder under {data_root}",
            f"Expected one of {', '.join(manifest.roots)} there; set DATA_ROOT to the folder that holds it.",
        )
    return DatasetFolder(root)


def content_digest(manifest: Manifest, place: DatasetFolder) -> ContentDigest:
    """sha256 over names and contents of all images and lists."""
    listed = [(folder, Texts(names)) for folder, names in _listed(manifest, place)]
    contents = iter(digest_files(Texts(os.path.join(folder, name) for folder, names in listed for name in names)))
    content = _digest(place, listed, lambda _: next(contents))
    return ContentDigest(content, lambda: _digest(place, _listed(manifest, place), file_state))


def _listed(manifest: Manifest, place: DatasetFolder) -> Iterator[tuple[Path, list[str]]]:
    """Folders of a dataset, each with the names of its images or lists."""
    folders = {set_folder(place.root, image_set): image_set.nested for image_set in manifest.set}
    if place.lists and manifest.lists:
        folders |= {place.root / manifest.lists.fallback: False, place.lists: False}
    for folder in sorted(folder for folder in folders if folder and folder.is_dir()):
        extensions = (".list",) if folder == place.lists else manifest.extensions
        yield folder, list_images(folder, folders[folder], extensions)[0]


def _digest(place: DatasetFolder, listed: Iterable[tuple[Path, Sequence[str]]], state: Callable[[str], str]) -> str:
    digest = hashlib.sha256()
    for folder, names in listed:
        digest.update(f"{folder.relative_to(place.root) if folder != place.lists else ''}\n".encode())
        for name in names:
            digest.update(f"{name} {state(os.path.join(folder, name))}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def file_state(path: str) -> str:
    """Size and modification time of a file, as text."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: it has a NUL byte
        return "missing"
    return f"{status.st_size} {status.st_mtime_ns}"


def set_folder(root: Path, image_set: ImageSet) -> Path | None:
    """Folder of an image set: the first of its names that exists."""
    return next((root / name for name in image_set.folders if (root / name).is_dir()), None)


def list_images(folder: Path, nested: bool, extensions: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Sorted relative names in a folder: images, other files.

    Leftovers of file managers are in neither list.
    """
    images: list[str] = []
    others: list[str] = []
    try:
        names = sorted(_walk(str(folder), "", nested, [os.path.realpath(folder)]))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be listed: {error.strerror}", "See that you may read it.") from error
    for name in names:
        base = name.rpartition("/")[2].lower()
        if base.startswith(".") or base in LEFTOVERS:
            continue
        (images if os.path.splitext(base)[1] in extensions else others).append(name)
    return images, others


def _walk(folder: str, prefix: str, nested: bool, read: list[str]) -> Iterable[str]:
    """Names of the files below a folder. read: real paths of the folder itself and of the links that were followed.

    A link to a folder is a folder, unless that is read anyway or the link leads back to where it comes from.
    """
    with os.scandir(folder) as found:
        entries = sorted((entry.is_symlink(), entry.name, entry.is_dir()) for entry in found)
    for is_link, name, is_folder in entries:
        path = os.path.join(folder, name)
        if not is_folder:
            yield prefix + name
        elif nested and not is_link:
            yield from _walk(path, f"{prefix}{name}/", nested, read)
        elif nested:
            target, here = os.path.realpath(path), os.path.realpath(folder)
            if not _is_inside(here, target) and not any(_is_inside(target, known) for known in read):
                read.append(target)
                yield from _walk(path, f"{prefix}{name}/", nested, read)


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _candidates(names: Iterable[str], data_root: Path) -> list[Path]:
    """Existing folders of these names; DATA_ROOT itself may be one."""
    own = [data_root] if data_root.name in {PurePosixPath(name).name for name in names} else []
    return [folder for folder in [*(data_root / name for name in names), *own] if folder.is_dir()]


def _find_root(names: Iterable[str], sets: tuple[ImageSet, ...], data_root: Path) -> Path | None:
    """Folder of these names that has most of the sets; None if no folder has any."""
    held = {
        root: sum(set_folder(root, image_set) is not None for image_set in sets)
        for root in _candidates(names, data_root)
    }
    best = max(held, key=lambda root: held[root], default=None)
    return best if best is not None and held[best] else None


def _find_folder(names: Iterable[str], files: list[str], data_root: Path) -> Path | None:
    """First folder of these names that has all the files."""
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
