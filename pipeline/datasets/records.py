"""Image records and findings about them.

An ImageRecord holds what the dataset states about an image; an ImageFile holds the state of its file when it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ImageRecord:
    """One image of a dataset.

    name: `split/relative/path`, unique. path: absolute. pid, camid: identity and camera number of the dataset, or the
    numbers given to the names in a CSV. split: one of SPLITS in pipeline.datasets.manifest. track: name of the track
    that the image is a frame of; "" for none.
    """

    name: str
    path: Path
    pid: int
    camid: int
    split: str
    track: str = ""


@dataclass(frozen=True)
class ImageFile:
    """File of an image when it was last read.

    bytes, mtime_ns: size and modification time, which show whether it was written since. sha256: of the bytes,
    hexadecimal. width, height: pixels.
    """

    bytes: int
    mtime_ns: int
    sha256: str
    width: int
    height: int


LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Error, warning or note about a dataset.

    level: one of LEVELS; a dataset with an error cannot be used.
    """

    level: str
    wrong: str
    remedy: str = ""


@dataclass(frozen=True)
class IdNames:
    """Identities and cameras as the user's list writes them.

    pids, camids: number -> text, where that is not the number.
    """

    pids: Mapping[int, str] = field(default_factory=dict)
    camids: Mapping[int, str] = field(default_factory=dict)

    def person(self, pid: int) -> str:
        return self.pids.get(pid, str(pid))

    def camera(self, camid: int) -> str:
        return self.camids.get(camid, str(camid))
