"""Record of the weights that a training began with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.io.files import digest_file
from pipeline.io.text import read_json

KEY = "start"  # in config.json beside the weights


@dataclass(frozen=True)
class Start:
    """Weights that a training began with.

    file: its name, or that of a network that ships. source: name of a package or program for ImageNet weights, "" for a
    file that the user named.
    """

    file: str
    sha256: str
    source: str = ""

    @classmethod
    def of(cls, path: Path, source: str = "", name: str = "") -> Start:
        return cls(name or path.name, digest_file(path), source)

    def as_json(self) -> dict[str, str]:
        return {"file": self.file, "sha256": self.sha256} | ({"source": self.source} if self.source else {})


def described_start(start: Start | None) -> dict[str, object]:
    """Entry of config.json; empty for random weights."""
    return {KEY: start.as_json()} if start else {}


def recorded_source(described: Path | None) -> str:
    """Source of the ImageNet weights that a training began with.

    It is "" if unknown. described: its config.json.
    """
    try:
        return str(read_json(described)[KEY]["source"]) if described else ""
    except (OSError, ValueError, TypeError, KeyError):  # none yet, from an earlier build, or damaged
        return ""
