"""Entries of COCO-like JSON files: people and masks, each with its image.

Reads JSON: COCO's annotations and results, and the files of tools that write the like for all images or for each one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import LostFile, UserError
from pipeline.io.text import read_json

Key = str | int  # of an image: a name, or a number of the list of images
AGAIN = "Write the file again with the tool that made it, or mend that entry."
FORMS = "a list of people or masks, or COCO's lists images and annotations"


@dataclass(frozen=True)
class ListedImage:
    """One entry of a list `images`.

    size: (h, w), None where it is not given.
    """

    name: str
    size: tuple[int, int] | None


@dataclass(frozen=True)
class Entry:
    """One person or mask.

    where: file and position, for messages. image: None in a file of one image. size: (h, w) of the image as the file
    gives it, or None. category: its name where the file has a list of categories, else its number, or None.
    """

    where: str
    image: Key | None
    fields: Mapping[str, Any]
    size: tuple[int, int] | None = None
    category: Key | None = None

    @property
    def score(self) -> float | None:
        """Score of the person; None without one."""
        for key in ("score", "bbox_score", "confidence"):
            value = self.fields.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        return None

    def damaged(self, found: str, remedy: str = AGAIN) -> UserError:
        """Error for this entry."""
        return UserError(f"{self.where} {found}", remedy)


@dataclass(frozen=True)
class EntryFile:
    """Content of a file.

    joints: names of the keypoints, () where no category lists them.
    """

    path: Path
    entries: tuple[Entry, ...]
    images: Mapping[Key, ListedImage] = field(default_factory=dict)
    joints: tuple[str, ...] = ()


def read_entries(path: Path, option: str, images: Mapping[Key, ListedImage] | None = None) -> EntryFile:
    """Entries of a JSON file, in its order.

    option: that names the file, for messages. images: a list of images from another file. Raises LostFile for a file
    that is not there, UserError for one that is no JSON or of another form, and for an entry whose image is not in the
    list of images.
    """
    remedy = f"Give {FORMS}: --set {option}=FILE"
    try:
        document = read_json(path)
    except FileNotFoundError as error:
        raise LostFile(f"there is no file {path}", f"Name it: --set {option}=FILE") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", remedy) from error
    found, listed = _lists(path, document, remedy)
    listed = {**(images or {}), **listed}
    names, joints = _categories(document)
    size = _size(document["image"]) if isinstance(document, dict) and isinstance(document.get("image"), dict) else None
    entries = []
    for number, one in enumerate(found):
        where = f"{path}, entry {number}"
        if not isinstance(one, dict):
            raise UserError(f"{where} is {_kind(one)}, not a person or a mask with names", remedy)
        entries.append(_entry(where, one, listed, names, size))
    return EntryFile(path, tuple(entries), listed, joints)


def read_images(path: Path, option: str) -> Mapping[Key, ListedImage]:
    """List of images of a COCO file: id -> image.

    Raises UserError for a file without one.
    """
    listed = read_entries(path, option).images
    if not listed:
        raise UserError(
            f"{path} has no list `images`", f"Name the file whose `images` have id and file_name: --set {option}=FILE"
        )
    return listed


def _lists(path: Path, document: Any, remedy: str) -> tuple[list[Any], dict[Key, ListedImage]]:
    if isinstance(document, list):
        return document, {}
    if not isinstance(document, dict):
        raise UserError(f"{path} holds {_kind(document)}, not {FORMS}", remedy)
    listed = document.get("images")
    images = {} if listed is None else _images(path, listed, remedy)
    for key in ("annotations", "instance_info", "predictions"):
        if isinstance(document.get(key), list):
            return document[key], images
    if images:
        return [], images
    keys = ", ".join(list(document)[:4])
    raise UserError(f"{path} is a JSON object with the keys {keys or 'none'}, not {FORMS}", remedy)


def _images(path: Path, listed: Any, remedy: str) -> dict[Key, ListedImage]:
    try:
        return {_key(image["id"]): ListedImage(str(image["file_name"]), _size(image)) for image in listed}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: an entry of `images` has no id or no file_name", remedy) from error


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = image.get("height"), image.get("width")
    return (sides[0], sides[1]) if all(type(side) is int and side > 0 for side in sides) else None  # type: ignore[return-value]


def _categories(document: Any) -> tuple[dict[Key, str], tuple[str, ...]]:
    """Names of the categories by number, and of the first one's keypoints."""
    listed = document.get("categories") if isinstance(document, dict) else None
    listed = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = {one["id"]: one["name"] for one in listed if isinstance(one.get("id"), int | str) and "name" in one}
    joints = [one["keypoints"] for one in listed if isinstance(one.get("keypoints"), list) and one["keypoints"]]
    return names, tuple(str(name).lower().replace(" ", "_") for name in joints[0]) if joints else ()


def _entry(
    where: str,
    fields: Mapping[str, Any],
    images: Mapping[Key, ListedImage],
    names: Mapping[Key, str],
    size: tuple[int, int] | None,
) -> Entry:
    category = fields.get("category_id", fields.get("name"))  # the latter of Ultralytics' to_json
    category = category if isinstance(category, int | str) else None
    category = names.get(category, category) if category is not None else None
    given = fields.get("file_name", fields.get("image_id"))
    if given is None:
        return Entry(where, None, fields, size, category)
    try:
        image = _key(given)
    except ValueError as error:
        raise UserError(f"{where} has the image {given!r}, neither a name nor a number", AGAIN) from error
    if image in images:
        return Entry(where, images[image].name, fields, images[image].size, category)
    if images and isinstance(image, int):
        raise UserError(f"{where} has the image_id {image}, which the list of images has not", AGAIN)
    return Entry(where, image, fields, size, category)


def _key(value: object) -> Key:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError
    return value


def _kind(value: object) -> str:
    return {list: "a list", dict: "an object", str: "a text", type(None): "null"}.get(type(value), "a number")
