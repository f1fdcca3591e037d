"""Consistency of the exported networks of a run.

Reads the JSON file beside each network, and the digests of its files.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.io.text import read_json
from pipeline.runs.result_paths import Exported
from pipeline.tools.verify.checks import Checks
from pipeline.tools.verify.folders import VerifiedFolder
from pipeline.tools.verify.hashing import FileState


@dataclass(frozen=True)
class ExportFiles:
    """One exported network: a file, or a folder of files.

    path: of the file or folder. files: those that are there or that the JSON names. again: the command that writes it.
    """

    path: Path
    files: tuple[Path, ...]
    again: str

    @property
    def about(self) -> Path:
        return Exported.about(self.path)


def exported_networks(place: VerifiedFolder) -> list[ExportFiles]:
    """Networks of an export folder of which anything exists."""
    files = Exported(place.folder)
    plain = [(files.file(name), ["--format", name]) for name in ("torch", "onnx")]
    trackers = [(files.tracker(name), ["--tracker", "--format", name]) for name in ("onnx", "openvino")]
    return [_network(place, path, words) for path, words in plain + trackers if _exists(path)]


def _exists(path: Path) -> bool:
    return path.exists() or Exported.about(path).exists()


def _network(place: VerifiedFolder, path: Path, words: list[str]) -> ExportFiles:
    """Network with its files and its command, both as its JSON names them.

    words: options of the command that say which network it is.
    """
    try:
        said = dict(read_json(Exported.about(path)))
    except (OSError, ValueError, TypeError):  # reported when it is compared
        said = {}
    digests, options = said.get("sha256"), said.get("options")
    names = {Path(name).name for name in digests} if isinstance(digests, dict) else set()
    there = set(path.iterdir()) if path.is_dir() else set()
    files = tuple(sorted({path / name for name in names} | there)) or (path,)
    more = map(str, options) if isinstance(options, list) else ()
    return ExportFiles(path, files, f"{place.checks.again} {shlex.join([*words, *more])}")


def compare_network(
    network: ExportFiles, checkpoint: str | None, seen: Mapping[Path, FileState], checks: Checks
) -> list[str]:
    """Comparison of an exported network with the JSON beside it.

    checkpoint: digest of the checkpoint of the training, None without one. checks: of the export folder. Returns the
    reasons why the network is stale.
    """
    path, own = network.path, Checks(network.again)
    stale = []
    if all([own.must(not seen[file].wrong, seen[file].wrong, path, seen[file].remedy) for file in network.files]):
        with own.reading(network.about):
            said = read_json(network.about)
            found = {file.name: seen[file].sha256 for file in network.files}
            digests = said["sha256"] if path.is_dir() else {path.name: said["sha256"]}
            own.must(digests == found, f"{path} is not the network that {network.about.name} describes", path)
            if said["checkpoint_sha256"] != checkpoint:
                stale = [f"{path.name} is of another checkpoint than the one that is there"]
    checks.add(own)
    return stale
