"""A user's own pictures: a folder of images -> arrays at network size.

Reads folder listings and images. A file that is no picture is left out, with its name and the reason; the caller
reports it.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.datasets.folders import file_state, list_images
from pipeline.errors import UserError
from pipeline.io.files import digest_file, digest_json
from pipeline.io.images import (
    BROKEN,
    begins_like_image,
    orientation,
    read_content,
    read_rgb,
    resize_image,
    turned,
    unreadable,
)
from pipeline.runtime import distributed
from pipeline.runtime.prefetch import ahead

# How the formats of `pipeline.io.images` are called by those who save photographs.
ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2")
NAMED_KIND = re.compile(r"\.[^./]*[^\d./][^./]*$")  # names with a suffix that tells a kind, unlike 0017 and frame.0017
BANKS = (".h5", ".hdf5")  # ends of names of feature banks
NAMED = 5  # files of one kind that a message names; the others are counted


@dataclass(frozen=True)
class PictureFolder:
    """Files below a folder.

    names: pictures, by the end of their names, sorted, with / between folders. others: name -> what is wrong, for every
    other file.
    """

    root: Path
    names: tuple[str, ...]
    others: dict[str, str]

    @property
    def place(self) -> Path:
        """What the user has named."""
        return self.root

    @property
    def remedy(self) -> str:
        """Remedy where none of the pictures can be read."""
        return "Give a folder of pictures that a viewer opens."

    @property
    def attrs(self) -> dict[str, str]:
        """Further attributes of its bank."""
        return {}

    def path(self, name: str) -> Path:
        return self.root / name

    def state(self, name: str) -> str:
        """Text that changes when a picture is written."""
        return file_state(os.path.join(self.root, name))

    def content(self, name: str) -> str:
        """Digest of a picture. Raises OSError for one that cannot be read."""
        return digest_file(self.path(name))

    def pixels(self, name: str) -> np.ndarray:
        """Picture [h, w, 3] uint8 RGB.

        Raises one of `images.BROKEN` for one that cannot be read, ValueError for one that is no part of its frame.
        """
        return self.read(self.path(name))

    @staticmethod
    def read(path: Path) -> np.ndarray:
        """Image file [h, w, 3] uint8 RGB. Raises one of `images.BROKEN`."""
        return read_rgb(read_content(path))

    @functools.cached_property
    def digest(self) -> str:
        """Digest that changes with the set of pictures or with any picture.

        A picture counts as changed when it is renamed or written; no picture is opened.
        """
        return digest_json([[name, self.state(name)] for name in self.names])


@dataclass(frozen=True)
class Read:
    """One picture after reading.

    image: [H, W, 3] uint8; None for a file that cannot be read, with the reason in `wrong`.
    """

    name: str
    image: np.ndarray | None
    wrong: str = ""


def look(folder: Path) -> PictureFolder:
    """Files below a folder.

    Raises UserError for a folder that does not exist or has no picture.
    """
    remedy = "Give a folder of pictures; folders inside it are read as well."
    if not folder.exists() and folder.suffix.lower() in BANKS:
        wrong = f"there is no feature bank {folder}"
        raise UserError(wrong, f"Make it: sorn embed FOLDER --model RUN --out {shlex.quote(str(folder))}")
    if not folder.exists():
        raise UserError(f"there is no folder {folder}", remedy)
    if not folder.is_dir():
        raise UserError(f"{folder} is a file, not a folder", remedy)
    named, strays = list_images(folder, True, ENDINGS)
    bare = [name for name in strays if not NAMED_KIND.search(name) and begins_like_image(folder / name)]
    named, strays = sorted([*named, *bare]), sorted({*strays} - {*bare})
    others = {name: "its name does not end like a picture's" for name in strays}
    # HDF5 and JSON hold text in UTF-8; what is no text there could be written, and not found again.
    others |= {name: "its name is no UTF-8 text" for name in named if not is_text(name)}
    names = tuple(name for name in named if name not in others)
    if not names:
        beside = f" but {counted(others)}" if others else ""
        raise UserError(f"{folder} holds no picture ({', '.join(ENDINGS)}){beside}", remedy)
    return PictureFolder(folder, names, others)


def read_pictures(folder: PictureFolder, names: Sequence[str], size: tuple[int, int]) -> Generator[Read, None, None]:
    """Some pictures in order, at network size.

    names: of the pictures. size: (height, width), resized as in the masks stage. Threads read ahead; close the
    generator when you stop early.
    """

    def read(name: str) -> Read:
        try:
            return Read(name, resize_image(folder.pixels(name), size))
        except BROKEN as error:
            return Read(name, None, unreadable(folder.path(name), error).wrong.partition("an image: ")[2])

    # Pillow leaves the interpreter lock while it decodes.
    with closing(ahead(read, ((name,) for name in names), distributed.cores())) as results:
        yield from results


def as_pixels(picture: str | Path | Image.Image | np.ndarray) -> np.ndarray:
    """Picture as [h, w, 3] uint8 RGB.

    picture: a file, which is read as in the data stage; a PIL image; or such an array. Raises UserError for everything
    else.
    """
    remedy = "Give a picture file, a PIL image, or an array of uint8 RGB [height, width, 3]."
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise UserError(f"an array of {picture.dtype} {list(picture.shape)} is no picture", remedy)
        return np.ascontiguousarray(picture)
    if isinstance(picture, Image.Image):
        if picture.mode.startswith(("I", "F")):
            raise UserError(f"a PIL image of mode '{picture.mode}' has no known white", remedy)
        pixels = np.asarray(picture.convert("RGB"))  # loads it: the tag may come after the pixels
        return turned(pixels, orientation(picture))
    if not isinstance(picture, str | os.PathLike):
        raise UserError(f"a value of type '{type(picture).__name__}' is no picture", remedy)
    path = Path(picture)
    try:
        return read_rgb(read_content(path))
    except FileNotFoundError as error:
        raise UserError(f"there is no picture {path}", remedy) from error
    except BROKEN as error:
        raise unreadable(path, error) from error


def counted(wrong: dict[str, str]) -> str:
    """Sentence about files that were left out.

    It has their number, the first names and the reasons. wrong: name -> reason.
    """
    named = "; ".join(f"{shown(name)} ({reason})" for name, reason in list(wrong.items())[:NAMED])
    more = f" and {len(wrong) - NAMED:,} more" if len(wrong) > NAMED else ""
    return f"{len(wrong):,} other file{'' if len(wrong) == 1 else 's'}: {named}{more}"


def shown(name: str) -> str:
    """Name of a file, safe to print on a terminal.

    Control characters and bytes that are no text become `?`.
    """
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def is_text(name: str) -> bool:
    """Whether the name of a file can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
