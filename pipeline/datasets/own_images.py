"""Persons, cameras and tracks of a user's pictures, by folders or names.

Reads folder listings only. What had to be assumed is said in words, and the caller shows it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pipeline.datasets.image_folder import PictureFolder, counted, look
from pipeline.errors import UserError, first_names

IN_FOLDERS = "from-folders"
IN_NAMES = "from-names"
# Subcommands of `sorn data`.

CAMERA = r"(?i:(?<![a-z])(?:c|cam|camera)[_-]?)(?P<camid>\d+)"
# Where a name tells its camera: c1, cam_03, Camera-2.

FORMS = (
    r"(?P<pid>\d+|00-1)C(?P<camid>\d+)T(?P<track>\d+)F\d+",  # MARS
    rf"(?P<pid>-?[^_\-. ]+)[_\-. ]{CAMERA}",  # Market-1501 and those named like it, anna_cam2_7.jpg
    r"(?P<pid>-?[^_\-. ]+)[_\- ]",  # 001_05.jpg, anna-3.jpg
)
# Forms of file names that tell the person, in the order in which they are tried.

SPLIT_FOLDERS = {"train", "test", "val", "valid", "validation", "query", "gallery", "probe"} | {
    "bounding_box_train",
    "bounding_box_test",
}
JUNK = ("-1", "00-1")  # persons of pictures that show nobody


@dataclass(frozen=True)
class OwnImage:
    """One picture of a user's folder.

    path: below the folder, with /. camera: "" where none is known. track: number of the track, among
    those of the person and the camera; "" where none is known.
    """

    path: str
    person: str
    camera: str = ""
    track: str = ""

    @property
    def unit(self) -> tuple[str, str]:
        """What stays together: the track, or the picture alone."""
        return (self.camera, self.track) if self.track else ("", self.path)

    @property
    def track_name(self) -> str:
        """Name of the track that no other has; "" where none is known."""
        return "-".join(filter(None, (self.person, self.camera, self.track))) if self.track else ""


@dataclass(frozen=True)
class OwnImages:
    """Pictures of a user's folder with their persons.

    assumed: sentences about how they were read.
    """

    folder: Path
    images: list[OwnImage]
    assumed: list[str] = field(default_factory=list)

    @property
    def persons(self) -> list[str]:
        return sorted({image.person for image in self.images})

    @property
    def has_cameras(self) -> bool:
        return any(image.camera for image in self.images)


def read_folders(folder: Path, pattern: str = "", cameras: bool = True) -> OwnImages:
    """Pictures of a folder with one folder per person.

    pattern: regular expression with the groups camid and track, or one of them, searched in the path below the person's
    folder; "" looks for a camera's number after c, cam or camera. cameras: False if none shall be read. Raises
    UserError for a folder without persons, and for cameras that some names tell and others do not.
    """
    pictures = look(folder)
    below = [name for name in pictures.names if "/" in name]
    _require_folders(folder, below)
    persons = [name.partition("/")[0] for name in below]
    told = _search(pattern or CAMERA, [name.partition("/")[2] for name in below], IN_FOLDERS) if cameras else []
    matched = [bool(match) for match in told]
    if pattern or (any(matched) and not all(matched)):
        _require_all(below, matched, folder, IN_FOLDERS, pattern)
    groups = [match.groupdict() if match else {} for match in told] or [{} for _ in below]
    images = [
        OwnImage(name, person, group.get("camid") or "", group.get("track") or "")
        for name, person, group in zip(below, persons, groups, strict=True)
    ]
    assumed = [f"a person is a folder of {folder}; pictures in folders inside it belong to the same person"]
    direct = len(pictures.names) - len(below)
    if direct:
        assumed.append(f"left out: {direct:,} pictures that lie in no person's folder")
    return _assembled(pictures, images, [*assumed, *_left_out(pictures)])


def read_names(folder: Path, pattern: str = "", cameras: bool = True) -> OwnImages:
    """Pictures of a folder whose names tell the person.

    pattern: regular expression that begins at the start of the name, with the group pid and, where they are told, camid
    and track; "" tries FORMS. cameras: False if none shall be read. Pictures of a person in JUNK are left out. Raises
    UserError for names without a person.
    """
    pictures = look(folder)
    bases = [PurePosixPath(name).name for name in pictures.names]
    form, found = _first_form(bases, (pattern,) if pattern else FORMS)
    matched = [bool(match) for match in found]
    _require_all(list(pictures.names), matched, folder, IN_NAMES, pattern)
    images = []
    for name, match in zip(pictures.names, found, strict=True):
        assert match is not None, "all names match"
        groups = match.groupdict()
        camera, track = groups.get("camid") or "", groups.get("track") or ""
        if track and not cameras:
            track = f"{camera}-{track}"  # tracks are numbered by camera
        images.append(OwnImage(name, groups["pid"], camera if cameras else "", track))
    junk = sum(image.person in JUNK for image in images)
    assumed = []
    if junk:
        assumed.append(f"left out: {junk:,} pictures of the person {JUNK[0]}, which show nobody")
    kept = [image for image in images if image.person not in JUNK]
    persons = first_names(sorted({image.person for image in kept}))
    assumed.insert(0, f"names tell the person by this form: {form}; persons: {persons}")
    return _assembled(pictures, kept, [*assumed, *_left_out(pictures)])


def _assembled(pictures: PictureFolder, images: list[OwnImage], assumed: list[str]) -> OwnImages:
    """Pictures whose paths a CSV can hold, without cameras where all are the same."""
    assumed = list(assumed)
    written = [image for image in images if "\\" not in image.path]
    if len(written) < len(images):
        assumed.append(f"left out: {len(images) - len(written):,} pictures with a backslash in their name")
    cameras = sorted({image.camera for image in written})
    if len(cameras) == 1 and cameras[0]:
        assumed.append(f"all names tell the camera {cameras[0]}; with one camera, all count as cameras unknown")
        written = [replace(image, camera="") for image in written]
    elif len(cameras) > 1:
        assumed.append(f"cameras, as the names tell them: {first_names(cameras, 8)}")
    else:
        assumed.append("the names tell no cameras; a query may find pictures by its own camera, which is easier")
    tracks = {(image.person, image.unit) for image in written if image.track}
    if tracks:
        assumed.append(f"{len(tracks):,} tracks, as the names tell them; a track is never divided")
    return OwnImages(pictures.root, written, assumed)


def _left_out(pictures: PictureFolder) -> list[str]:
    return [f"left out: {counted(pictures.others)}"] if pictures.others else []


def _require_folders(folder: Path, below: list[str]) -> None:
    if not below:
        raise UserError(
            f"{folder} has pictures, and no folders with pictures in it, of which each would be one person",
            f"If it is the folder of one person: sorn data from-folders {shlex.quote(str(_above(folder)))}; "
            f"if the names tell the person: sorn data from-names {shlex.quote(str(folder))}",
        )
    tops = sorted({name.partition("/")[0] for name in below})
    if len(tops) > 1 and {top.lower() for top in tops} <= SPLIT_FOLDERS:
        raise UserError(
            f"the folders of {folder} are named like splits ({', '.join(tops)}), not like persons",
            f"Give one of them: sorn data from-folders {shlex.quote(str(folder / tops[0]))}.",
        )


def _above(folder: Path) -> Path:
    return folder / ".." if folder.name in ("", "..") else folder.parent


def _compiled(pattern: str, command: str) -> re.Pattern[str]:
    needed = ("pid",) if command == IN_NAMES else ("camid", "track")
    example = r"'(?P<pid>\d+)_c(?P<camid>\d+)'" if command == IN_NAMES else r"'cam(?P<camid>\d+)'"
    remedy = f"A form is a regular expression such as --pattern {example}."
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--pattern {pattern!r} is no regular expression: {error}", remedy) from error
    if not set(needed) & set(compiled.groupindex):
        raise UserError(f"--pattern {pattern!r} has no group {' or '.join(needed)}", remedy)
    return compiled


def _search(pattern: str, texts: Iterable[str], command: str) -> list[re.Match[str] | None]:
    compiled = _compiled(pattern, command)
    return [compiled.search(text) for text in texts]


def _first_form(bases: list[str], forms: tuple[str, ...]) -> tuple[str, list[re.Match[str] | None]]:
    """First form that all names have; else the one that most have."""
    tried = []
    for form in forms:
        compiled = _compiled(form, IN_NAMES)
        found = [compiled.match(base) for base in bases]
        if all(found):
            return form, found
        tried.append((form, found))
    return max(tried, key=lambda one: sum(map(bool, one[1])))


def _require_all(names: list[str], matched: list[bool], folder: Path, command: str, pattern: str) -> None:
    """Raise UserError for names that tell no camera or no person where others do."""
    missing = [name for name, good in zip(names, matched, strict=True) if not good]
    if not missing:
        return
    told = "their camera" if command == IN_FOLDERS else "their person"
    asked = f" by --pattern {pattern!r}" if pattern else ""
    shown = f"{len(missing):,} of {len(names):,} names do not tell {told}{asked}: {first_names(missing)}"
    quoted = shlex.quote(str(folder))
    if command == IN_FOLDERS:
        remedy = (
            f"Without cameras: sorn data from-folders {quoted} --no-cameras; or give the form of all names, --pattern."
        )
    else:
        remedy = (
            "Give the form of all names, such as "
            rf"--pattern '(?P<pid>\d+)_c(?P<camid>\d+)'; or make a folder per person, and then: "
            f"sorn data from-folders {quoted}"
        )
    raise UserError(shown, remedy)
