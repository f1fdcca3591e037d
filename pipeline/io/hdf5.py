"""Safe reading of HDF5 files from unknown sources.

HDF5 follows links into other files, stores data in other files, and can claim any size. Data of variable length lies in
a heap without checksums, where one damaged byte sends the library into an endless loop. So all texts written here have
a fixed length, data of variable length is refused unread, and the remaining tables of the format have checksums.
Nothing is read from outside the file, and nothing that claims to be larger than it. Reads and writes open files only.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.errors import UserError, reason
from pipeline.io.file_kind import HDF5, LFS, in_place_of

logger = logging.getLogger(__name__)

LIBVER = ("v110", "v110")  # read by HDF5 1.10 (2016) and later; fixed, so that equal content gives equal bytes
DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError)  # h5py's words for a broken file

HELD, OPEN_HERE = "already open for write", "locking flag values don't match"  # HDF5's words
NEWEST_SUPERBLOCK = 9  # a larger version of the superblock is damage
DISK = (errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EREMOTEIO, errno.EHOSTDOWN)


class OutOfReach(UserError):
    """Error for a file that cannot be read now.

    It can be whole. It is neither deleted nor replaced for that.
    """


class HeldOpen(OutOfReach):
    """Error for a file that another program opened for writing.

    The program has the file open, or had it open when it was killed.
    """


def opened(path: Path) -> h5py.File:
    """Finished file, opened for reading without locks.

    No program changes a finished file, and some file systems have no locks.
    Raises OutOfReach, FileNotFoundError, and for a broken file one of DAMAGE.
    """
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if OPEN_HERE in str(error):
            return _open_here_too(path)
        if HELD in str(error):
            wrong = f"{path} is open for writing in another program, or was when that was killed"
            clear = f"h5clear -s {shlex.quote(str(path))}"
            raise HeldOpen(wrong, f"Close it there. If no program has it open, run: {clear}") from error
        raise _out_of_reach(path, error) or error from error


def _open_here_too(path: Path) -> h5py.File:
    """File that this process has open with locks, as in a notebook: HDF5 wants the same setting again."""
    try:
        return h5py.File(path, "r", locking=True)
    except OSError:
        return h5py.File(path, "r", locking="best-effort")


def _out_of_reach(path: Path, error: Exception) -> OutOfReach | None:
    """Error for a file that can be whole; None for damage and for a file that is missing."""
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return OutOfReach(f"you may not read {path}", f"Run: chmod u+r {shlex.quote(str(path))}")
    if number == errno.EISDIR:
        return OutOfReach(f"{path} is a folder, not a file", "Give a file, or move the folder elsewhere.")
    if number in DISK:
        remedy = "See that its disk is connected, then run the same command again."
        return OutOfReach(f"{path} cannot be read: {os.strerror(number)}", remedy)
    if _of_a_newer_format(path, str(error)):
        wrong = f"{path} is of a newer HDF5 than {h5py.version.hdf5_version}, which this program has, or damaged"
        return OutOfReach(wrong, f"Run: {shlex.quote(sys.executable)} -m pip install --upgrade h5py")
    return None


def _of_a_newer_format(path: Path, said: str) -> bool:
    """Whether HDF5 said that it does not know the format: of the whole file, or of one dataset in it."""
    if "bad superblock version" in said:
        with open(path, "rb") as file:
            return file.read(9)[8] <= NEWEST_SUPERBLOCK
    return "bad version number for" in said


def unreadable(path: Path, content: str, error: Exception, remedy: str) -> UserError:
    """Error for a file for which one of DAMAGE was raised.

    content: what it should hold, such as "feature bank".
    """
    other = in_place_of(path, HDF5)
    said = f"it is {other.what}" if other else reason(error)
    remedy = other.remedy if other and other.name == LFS else remedy
    return _out_of_reach(path, error) or UserError(f"{path} is truncated or no {content}: {said}", remedy)


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


def mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    """Array of a dataset, mapped into memory.

    It is read from the disk when it is used; writing into it changes no file. It is read at once where it is empty or
    not contiguous, and where the disk cannot map.
    """
    offset: Any = dataset.id.get_offset()
    if offset is not None:  # None: empty, or not contiguous
        try:
            return np.memmap(path, dataset.dtype, "c", offset, dataset.shape)  # torch needs writable arrays
        except OSError as error:
            logger.warning(f"{path}: {dataset.name} cannot be mapped, so it is read into memory: {reason(error)}")
    values: np.ndarray = dataset[:]
    return values


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
