"""Files whose names are spelled in another way than on the disk.

Lists from macOS and Windows hold names in another Unicode form or in other capitals than the file system has.
"""

from __future__ import annotations

import functools
import os
import unicodedata


def find_spelled(folder: str, path: str) -> str | None:
    """Path below `folder` as the disk spells it.

    path: with / between folders, none of them "..". None where no file, or more than one, is meant.
    """
    found = ""
    for part in path.split("/"):
        here = os.path.join(folder, found)
        name = part if os.path.lexists(os.path.join(here, part)) else _only(here, part)
        if name is None:
            return None
        found = f"{found}/{name}" if found else name
    return found if os.path.isfile(os.path.join(folder, found)) else None


def _only(folder: str, name: str) -> str | None:
    """The one name in a folder that differs in its Unicode form alone, or else in its capitals alone."""
    try:
        composed, folded = _names(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return None
    same = composed.get(_composed(name)) or folded.get(_composed(name).casefold(), [])
    return same[0] if len(same) == 1 else None


@functools.lru_cache(maxsize=256)
def _names(folder: str, _: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Names in a folder, by their composed form and without capitals."""
    composed: dict[str, list[str]] = {}
    folded: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        composed.setdefault(_composed(name), []).append(name)
        folded.setdefault(_composed(name).casefold(), []).append(name)
    return composed, folded


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
