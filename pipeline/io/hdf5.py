"""Safe reading of HDF5 files from unknown sources.

HDF5 follows links into other files, stores data in other files, and can claim any size. Data of variable length lies in
a heap without checksums, where one damaged byte sends the library into an endless loop. So all texts written here have
a fixed length, data of variable length is refused unread, and the remaining tables of the format have checksums.
Nothing is read from outside the file, and nothing that claims to be larger than it. Reads and writes open files only.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import UserError

LIBVER = ("v110", "v110")  # read by HDF5 1.10 (2016) and later; fixed, so that equal content gives equal bytes
DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError)  # h5py's words for a broken file

HELD = "already open for write"  # HDF5's words


class HeldOpen(UserError):
    """Error for a file that another program opened for writing.

    The program has the file open, or had it open when it was killed. The file can be whole.
    """


def opened(path: Path) -> h5py.File:
    """Finished file, opened for reading without locks.

    No program changes a finished file, and some file systems have no locks.
    Raises HeldOpen, FileNotFoundError, and for a broken file one of DAMAGE.
    """
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if HELD not in str(error):
            raise
        raise HeldOpen(
            f"{path} is open for writing in another program, or was when that was killed",
            f"Close it there. If no program has it open, run: h5clear -s {shlex.quote(str(path))}",
        ) from error


def created(path: Path) -> h5py.File:
    """New file, opened for writing without locks.

    No other program uses its name.
    """
    return h5py.File(path, "w", libver=LIBVER, locking=False)


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Object of a group by its name.

    Raises KeyError where there is none. Raises ValueError for a link to another file, for data of variable length or
    stored in another file, and for data larger than the whole file, before any memory is allocated.
    """
    link = group.get(name, getlink=True)
    if link is None:
        raise KeyError(f"{group.name} holds no '{name}'")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{group.name.rstrip('/')}/{name} is a link elsewhere")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        if found.dtype.hasobject:
            raise ValueError(f"{found.name} is of variable length, as no file of this program is")
        if found.external or found.is_virtual:
            raise ValueError(f"{found.name} is stored in another file")
        claimed, room = math.prod(found.shape or ()) * found.dtype.itemsize, os.path.getsize(found.file.filename)
        if claimed > room:
            raise ValueError(f"{found.name} claims {claimed - room:,} bytes more than the file has")
    return found


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Dataset of a group by its name.

    Raises as `member`, and ValueError for an object that is no dataset with axes.
    """
    found = member(group, name)
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise ValueError(f"{found.name} is no dataset with axes")
    return found


def texts(values: Iterable[str]) -> np.ndarray:
    """[n] UTF-8 texts of fixed length, as `create_dataset` takes them.

    The length is that of the longest text.
    """
    encoded = [value.encode() for value in values]
    longest = max((1, *map(len, encoded)))
    return np.array(encoded, h5py.string_dtype("utf-8", longest))


def set_attributes(file: h5py.File, values: Mapping[str, str | int]) -> None:
    """Numbers and texts of any length, written as attributes."""
    for name, value in values.items():
        file.attrs[name] = texts([value])[0] if isinstance(value, str) else value


def attribute(file: h5py.File, name: str) -> str | int:
    """Value of one attribute.

    Raises KeyError where there is none, ValueError for anything but a number or a text of fixed length.
    """
    if name not in file.attrs:
        raise KeyError(f"it has no attribute '{name}'")
    found = file.attrs.get_id(name)
    if found.shape != () or found.dtype.kind not in "iuS":
        raise ValueError(f"its attribute '{name}' is neither a number nor a text of fixed length")
    value = file.attrs[name]
    return bytes(value).decode() if found.dtype.kind == "S" else int(value)


def attributes(file: h5py.File) -> dict[str, str | int]:
    """All attributes. Raises as `attribute` does."""
    return {name: attribute(file, name) for name in file.attrs}
