"""HDF5 files that somebody else may have written: nothing is read that lies outside of them, or claims to be larger.

HDF5 follows links into other files, stores data in them, and can claim any size. Reads what it is asked for.
"""

from __future__ import annotations

import math
import os

import h5py

DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError)  # h5py's words for a broken file


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """What lies in the group under that name. Raises KeyError for nothing, ValueError for a link elsewhere, for data
    stored in another file, or for more of it than the whole file has bytes: before any memory is taken for it.
    """
    link = group.get(name, getlink=True)
    if link is None:
        raise KeyError(f"{group.name} holds no '{name}'")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{group.name}/{name} is a link elsewhere")
    found = group[name]
    if isinstance(found, h5py.Dataset):
        if found.external or found.is_virtual:
            raise ValueError(f"{found.name} is stored in another file")
        claimed, room = math.prod(found.shape or ()) * found.dtype.itemsize, os.path.getsize(found.file.filename)
        if claimed > room:
            raise ValueError(f"{found.name} claims {claimed - room:,} bytes more than the file has")
    return found


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """As `member`; raises ValueError for what is no dataset with axes."""
    found = member(group, name)
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise ValueError(f"{found.name} is no dataset with axes")
    return found
