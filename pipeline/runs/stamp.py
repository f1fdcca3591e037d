"""Stamps: records of what a stage's outputs were made from.

Reads and writes stamp.json. A stamp is written last, by os.replace. A stage that fails leaves the stamp of the outputs
that were finished before, if there are any. A stage is fresh if the version, inputs and options in its stamp are the
present ones, and if the output files are as recorded.
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
from pipeline.io.digests import ContentDigest, FilePlace
from pipeline.io.files import digest_file, digest_json, write_json
from pipeline.io.text import read_json
from pipeline.runs.command import RunCommand
from pipeline.runs.inputs import FORMER_INPUTS, LATER_INPUTS, Input, from_stored
from pipeline.runs.layout import STAMP
from pipeline.runs.replacement import settle
from pipeline.runs.stored_options import ADDED, STORED_NAMES

SCHEMA_VERSION = 1
UNDECIDED = ("eval.colour",)  # options that are null where the user leaves them open: any recorded value agrees
PRESENT = {stored: name for name, stored in STORED_NAMES.items()}  # option in stamps -> its name on the command line


@dataclass(frozen=True)
class Stamp:
    """Content of stamp.json.

    stage, version: of the code that ran. inputs: name -> digest. config: options that can change the result. outputs:
    file, relative to the stamp's folder -> [sha256, bytes, mtime in ns]. provides: name -> digest of the content that
    later stages use as input. versions: of Python and the packages; recorded, never compared. command: the command that
    made the stage, None in stamps before 0.2; not part of the fingerprint. origin: of the dataset, in the stamp of the
    data stage (pipeline.runs.origin).
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
    origin: dict[str, str] | None = None

    @property
    def made_from(self) -> tuple[Input, ...]:
        """Inputs, each with its stage."""
        return from_stored(self.stage, self.inputs)

    def options(self, section: str) -> Mapping[str, object]:
        """Table of `config` under a name; empty where there is none.

        Raises ValueError if it is no table.
        """
        found = self.config.get(section, {})
        if not isinstance(found, dict):
            raise ValueError(f"its config names {section} = {found!r}, which is no table")
        return found

    def provided(self, name: str) -> str:
        """Digest of a content that later stages use.

        Raises UserError if the stamp does not have it.
        """
        if name not in self.provides:
            wrong = f"the stamp of {self.stage} has no digest '{name}'"
            raise UserError(wrong, f"Delete {STAMP} in the folder of {self.stage} and run that stage again.")
        return self.provides[name]


@dataclass(frozen=True)
class OptionChange:
    """Option of a stamp that has another value now.

    name: present name in the settings of the stage. old, new: None for an option that is not in them. text: in words.
    """

    name: str
    old: object
    new: object
    text: str


def option_changes(old: Mapping[str, object], new: Mapping[str, object]) -> list[OptionChange]:
    """Options that differ between two settings, by name.

    old: of a stamp. new: the present ones.
    """
    before, after = _flat(old), _flat(new)
    for one, other in ((before, after), (after, before)):
        one |= {name: value for name, value in ADDED.items() if name in other and name not in one}
    return [OptionChange(name, before.get(name), after.get(name), text) for name, text in _differences(before, after)]


def fingerprint(stage: str, version: int, inputs: dict[str, str], config: Mapping[str, object]) -> str:
    return digest_json([stage, version, inputs, config])


def read(folder: Path) -> Stamp | None:
    """Stamp of a folder; None without one.

    Newer outputs of an interrupted replacement are moved to their places first. Raises UserError for a file that cannot
    be read or is no stamp.
    """
    path = folder / STAMP
    settle(folder)
    try:
        table = read_json(path)
        command = table.pop("command", None)
        stamp = Stamp(**table, command=None if command is None else RunCommand(**command))
        _require_kinds(stamp)
        return stamp
    except FileNotFoundError:
        return None
    except OSError as error:  # a folder in its place, a folder that is a file, no permission
        again = f"Make it a file that you may read, or remove {path if folder.is_dir() else folder} and run it again."
        raise UserError(f"{path} cannot be read: {error.strerror or error}", again) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a stamp: {error}", f"Delete {path} and run the stage again.") from error


def _require_kinds(stamp: Stamp) -> None:
    """Raise ValueError for a field of a wrong type."""
    texts = (stamp.inputs, stamp.provides)
    good = (
        all(isinstance(field, dict) for field in (stamp.config, stamp.outputs, stamp.versions, *texts))
        and all(isinstance(value, str) for field in texts for value in field.values())
        and all(
            isinstance(entry, list) and [type(value) for value in entry] == [str, int, int]
            for entry in stamp.outputs.values()
        )
    )
    if not good:
        raise ValueError("its inputs, config, outputs, provides or versions are of a wrong type")


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
    """Write the stamp of a finished stage.

    inputs: with the digests from before the work.
    """
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
    """Reasons why a stage is stale, as text; empty if fresh."""
    stamp = read(folder)
    if stamp is None:
        return ["never finished"]
    reasons = []
    if (stamp.schema_version, stamp.stage) != (SCHEMA_VERSION, stage):
        reasons.append(f"stamp is of {stamp.stage} schema {stamp.schema_version}, not {stage} schema {SCHEMA_VERSION}")
    if stamp.version != version:
        reasons.append(f"{stage} changed: version {stamp.version} -> {version}")
    made_from = {name: digest for name, digest in stamp.inputs.items() if name not in FORMER_INPUTS.get(stage, ())}
    later = {name for name in LATER_INPUTS.get(stage, ()) if name not in made_from}
    now = {name: digest for name, digest in inputs.items() if name not in later}
    reasons += [f"{name} {change}" for name, change in _differences(made_from, now)]
    reasons += [f"option {change.name} {change.text}" for change in option_changes(stamp.config, config)]
    reasons += _damaged(folder, stamp.outputs)
    return reasons


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, str]]:
    differences = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            differences.append((name, "is no longer used"))
        elif name not in old:
            differences.append((name, "is new"))
        elif not _agrees(old[name], new[name]) and not (name in UNDECIDED and new[name] is None):
            digests = all(isinstance(v, str) and len(v) == 64 for v in (old[name], new[name]))
            differences.append((name, "changed" if digests else f"changed: {old[name]} -> {new[name]}"))
    return differences


def _agrees(old: object, new: object) -> bool:
    return new.agrees(old) if isinstance(new, ContentDigest | FilePlace) else old == new


def _flat(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + PRESENT.get(key, key)] = list(value) if isinstance(value, tuple) else value
    return flat


def _damaged(folder: Path, outputs: dict[str, list[Any]]) -> list[str]:
    """Reasons for changed outputs: their contents decide."""
    reasons = []
    for name, (digest, size, _) in outputs.items():
        path = folder / name
        try:
            changed = path.stat().st_size != size or digest_file(path) != digest
        except FileNotFoundError:
            reasons.append(f"output {name} is missing")
        except OSError as error:
            reasons.append(f"output {name} cannot be read: {error.strerror or error}")
        else:
            reasons += [_changed(path, name)] if changed else []
    return reasons


def _changed(path: Path, name: str) -> str:
    """Reason for an output with other bytes, among them those of a file that another program has open."""
    if path.suffix == ".h5":
        from pipeline.io import hdf5  # h5py takes time to import

        try:
            hdf5.opened(path).close()
        except hdf5.HeldOpen as error:
            return f"output {error.wrong}"
        except (UserError, *hdf5.DAMAGE):
            pass
    return f"output {name} was changed after it was written"


def _versions() -> dict[str, str]:
    names = ("torch", "torchvision", "numpy", "h5py", "pillow", "anny", "detectron2", "timm", "ai-edge-litert")
    versions = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
