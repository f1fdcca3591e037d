"""Stamps: what a stage was made from, so that it can tell whether it is still fresh. Reads and writes stamp.json.

A stamp is written last, through os.replace; a stage that fails leaves none. Freshness compares the stamp's stage
version, inputs and config with today's, and the output files with what was recorded when they were written.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.io.files import digest_file, digest_json, write_json
from pipeline.io.text import read_json
from pipeline.runs.command import RunCommand
from pipeline.runs.config import STORED_NAMES
from pipeline.runs.inputs import Input, from_stored
from pipeline.runs.layout import STAMP

SCHEMA_VERSION = 1
TODAY = {stored: name for name, stored in STORED_NAMES.items()}  # options in stamps -> their names on the command line


@dataclass(frozen=True)
class Stamp:
    """stage, version: of the code that ran. inputs: name -> digest. config: what could change the result.

    outputs: file, relative to the stamp's folder -> [sha256, bytes, mtime in ns]. provides: name -> digest, the content
    that later stages take as input. versions: of Python and the packages that computed; recorded, never compared.
    command: what the stage was made with, None in stamps before 0.2; it enters no fingerprint.
    """

    stage: str
    version: int
    fingerprint: str
    inputs: dict[str, str]
    config: Mapping[str, object]
    outputs: dict[str, list[Any]]
    provides: dict[str, str]
    versions: dict[str, str]
    schema_version: int = SCHEMA_VERSION
    command: RunCommand | None = None

    @property
    def made_from(self) -> tuple[Input, ...]:
        """The inputs, each with the stage that it came from."""
        return from_stored(self.stage, self.inputs)

    def options(self, section: str) -> Mapping[str, object]:
        """One table of `config`; empty where there is none. Raises ValueError for what is no table."""
        found = self.config.get(section, {})
        if not isinstance(found, dict):
            raise ValueError(f"its config names {section} = {found!r}, which is no table")
        return found

    def provided(self, name: str) -> str:
        """The digest of what later stages take. Raises UserError where this stamp has lost it."""
        if name not in self.provides:
            wrong = f"the stamp of {self.stage} does not say what it provides as '{name}'"
            raise UserError(wrong, f"Delete {STAMP} in the folder of {self.stage} and run that stage again.")
        return self.provides[name]


def fingerprint(stage: str, version: int, inputs: dict[str, str], config: Mapping[str, object]) -> str:
    return digest_json([stage, version, inputs, config])


def read(folder: Path) -> Stamp | None:
    """The folder's stamp, or None where there is none. Raises UserError for one that cannot be read or understood."""
    path = folder / STAMP
    try:
        table = read_json(path)
        command = table.pop("command", None)
        found = Stamp(**table, command=None if command is None else RunCommand(**command))
        _require_kinds(found)
        return found
    except FileNotFoundError:
        return None
    except OSError as error:  # a folder in its place, a folder that is a file, no permission
        again = f"Make it a file that you may read, or remove {path if folder.is_dir() else folder} and run it again."
        raise UserError(f"{path} cannot be read: {error.strerror or error}", again) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a stamp: {error}", f"Delete {path} and run the stage again.") from error


def _require_kinds(found: Stamp) -> None:
    """Raise ValueError for a field of another kind than Stamp says: it would fail wherever it is used."""
    texts = (found.inputs, found.provides)
    good = (
        all(isinstance(field, dict) for field in (found.config, found.outputs, found.versions, *texts))
        and all(isinstance(value, str) for field in texts for value in field.values())
        and all(
            isinstance(entry, list) and [type(value) for value in entry] == [str, int, int]
            for entry in found.outputs.values()
        )
    )
    if not good:
        raise ValueError("its inputs, config, outputs, provides or versions are of another kind")


def remove(folder: Path) -> None:
    (folder / STAMP).unlink(missing_ok=True)


def write(
    folder: Path,
    stage: str,
    version: int,
    inputs: dict[str, str],
    config: Mapping[str, object],
    outputs: Iterable[Path],
    provides: dict[str, str],
    command: RunCommand | None = None,
) -> Path:
    """Record a finished stage. `inputs` are those hashed before the work began."""
    record = {}
    for path in sorted(outputs):
        stat = path.stat()
        record[path.relative_to(folder).as_posix()] = [digest_file(path), stat.st_size, stat.st_mtime_ns]
    made = fingerprint(stage, version, inputs, config)
    stamp = Stamp(stage, version, made, inputs, config, record, provides, _versions(), command=command)
    write_json(folder / STAMP, asdict(stamp), sort_keys=True)
    return folder / STAMP


def why_stale(
    folder: Path, stage: str, version: int, inputs: dict[str, str], config: Mapping[str, object]
) -> list[str]:
    """Reasons, in words, why the stage must run; empty when it is fresh."""
    stamp = read(folder)
    if stamp is None:
        return ["never finished"]
    reasons = []
    if (stamp.schema_version, stamp.stage) != (SCHEMA_VERSION, stage):
        reasons.append(f"stamp is of {stamp.stage} schema {stamp.schema_version}, not {stage} schema {SCHEMA_VERSION}")
    if stamp.version != version:
        reasons.append(f"{stage} changed: version {stamp.version} -> {version}")
    reasons += [f"{name} {change}" for name, change in _differences(stamp.inputs, inputs)]
    for name, change in _differences(_flat(stamp.config), _flat(config)):
        reasons.append(f"option {name} {change}")
    reasons += _damaged(folder, stamp.outputs)
    return reasons


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, str]]:
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found.append((name, "is no longer used"))
        elif name not in old:
            found.append((name, "is new"))
        elif old[name] != new[name]:
            digests = all(isinstance(v, str) and len(v) == 64 for v in (old[name], new[name]))
            found.append((name, "changed" if digests else f"changed: {old[name]} -> {new[name]}"))
    return found


def _flat(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + TODAY.get(key, key)] = list(value) if isinstance(value, tuple) else value
    return flat


def _damaged(folder: Path, outputs: dict[str, list[Any]]) -> list[str]:
    """Outputs that are not what was written. Same size and mtime is trusted; another mtime is settled by the digest."""
    reasons = []
    for name, (digest, size, mtime) in outputs.items():
        path = folder / name
        try:
            stat = path.stat()
            changed = stat.st_size != size or (stat.st_mtime_ns != mtime and digest_file(path) != digest)
        except FileNotFoundError:
            reasons.append(f"output {name} is missing")
        except OSError as error:
            reasons.append(f"output {name} cannot be read: {error.strerror or error}")
        else:
            reasons += [f"output {name} was changed after it was written"] if changed else []
    return reasons


def _versions() -> dict[str, str]:
    names = ("torch", "torchvision", "numpy", "h5py", "pillow", "anny", "detectron2")
    versions = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
