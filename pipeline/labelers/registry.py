"""Registry of labelers and keypoint finders: built-in names, entry points, class paths.

Three ways lead to a plug-in: a built-in name (`densepose`), the name of an entry point of an installed package
(`mine`, group sorn.labelers or sorn.keypoints), and the path of a class (`package.module:Class`). A plug-in is imported
when it is asked for, never to find out which there are. The path is also the name of a run's folder, with a dot for the
colon; a name of an entry point therefore has letters, digits and '_' only.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import importlib
import importlib.metadata
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.labelers.base import Source
from pipeline.labelers.outside import OutsideFinder, OutsideLabeler, OutsidePlugin, PluginOrigin, described
from pipeline.labelers.protocol_check import require_protocol

WORD = r"[A-Za-z_][A-Za-z0-9_]*"
CLASS_PATH = re.compile(rf"{WORD}(\.{WORD})*:{WORD}")
ENTRY_NAME = re.compile(r"[A-Za-z0-9_]+")
INSTALL = "Install its package in this environment, or name the folder it lies in: PYTHONPATH=FOLDER."


@dataclass(frozen=True)
class PluginKind:
    """One kind of plug-in.

    word: in messages. group: of entry points. built_in: name -> "module:Class". protocol: "module:Class" of the methods
    it must have. guard: what checks the answers of one from outside. choice: what the user types before a name.
    example: one that always works.
    """

    word: str
    group: str
    built_in: Mapping[str, str]
    protocol: str
    guard: type[OutsidePlugin]
    choice: str
    example: str

    @property
    def other(self) -> str:
        """End of a remedy."""
        return f"or choose another: {self.choice}{self.example}"


LABELER = PluginKind(
    "labeler",
    "sorn.labelers",
    {
        "blazepose": "pipeline.labelers.blazepose:BlazePose",
        "danet": "pipeline.labelers.danet:DANetLabeler",
        "densepose": "pipeline.labelers.densepose:DensePose",
        "ground_truth": "pipeline.labelers.ground_truth:GroundTruth",
        "import": "pipeline.labelers.import_masks:ImportMasks",
        "limbs": "pipeline.labelers.limbs.labeler:Limbs",
        "none": "pipeline.labelers.unlabeled:Unlabeled",
        "torchvision": "pipeline.labelers.torchvision_rcnn:TorchvisionRCNN",
    },
    "pipeline.labelers.base:Labeler",
    OutsideLabeler,
    "LABELER=",
    "import",
)
KEYPOINT_FINDER = PluginKind(
    "keypoint finder",
    "sorn.keypoints",
    {
        "blazepose": "pipeline.labelers.keypoints.blazepose:BlazePoseKeypoints",
        "joints": "pipeline.labelers.keypoints.joints:Joints",
        "keypoint_rcnn": "pipeline.labelers.keypoints.keypoint_rcnn:KeypointRCNN",
    },
    "pipeline.labelers.keypoints.base:KeypointFinder",
    OutsideFinder,
    "--set masks.keypoints=",
    "joints",
)
KINDS = (LABELER, KEYPOINT_FINDER)


@dataclass(frozen=True)
class Plugin:
    """One plug-in, not imported yet.

    name: as the user gives it. target: "module:Class". package: name and version of the distribution whose entry point
    it is, or "".
    """

    kind: PluginKind
    name: str
    target: str
    package: str = ""

    @property
    def built_in(self) -> bool:
        return self.name in self.kind.built_in

    @property
    def title(self) -> str:
        """In messages."""
        behind = f" ({self.target} of {self.package})" if self.package else ""
        return f"{self.kind.word} {self.name}{behind}"

    @property
    def module_name(self) -> str:
        return self.target.partition(":")[0]

    @cached_property
    def module(self) -> ModuleType:
        """The imported module.

        Raises UserError for one that is not there, or raises while it is imported.
        """
        try:
            return importlib.import_module(self.module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{self.module_name}.".startswith(f"{error.name}."):
                raise self._unimportable(error) from error
            wrong = f"{self.title}: there is no module '{error.name}' in this environment"
            raise UserError(wrong, INSTALL) from error
        except (Exception, SystemExit) as error:
            raise self._unimportable(error) from error

    @cached_property
    def implementation(self) -> type:
        """The class, checked against the protocol.

        Raises UserError as `module` does, and for what is no such class.
        """
        _, _, name = self.target.partition(":")
        found = getattr(self.module, name, None)
        if isinstance(found, type):
            if not self.built_in:
                require_protocol(found, _protocol(self.kind), self.title, self._written_in(found), self.mend)
            return found
        classes = [key for key, value in vars(self.module).items() if isinstance(value, type)]
        close = difflib.get_close_matches(name, classes, 1)
        remedy = f"Name a class of it, e.g. {self.kind.choice}{self.module_name}:{close[0] if close else 'MyClass'}"
        fault = f"has no class '{name}'" if found is None else f"has '{name}', which is no class"
        raise UserError(f"{self.title}: {self.file} {fault}", remedy)

    @property
    def file(self) -> Path:
        """Of the imported module."""
        return _file_of(self.module)

    @property
    def file_of_class(self) -> Path:
        """Where the class is written: its module may only hand it on."""
        return self._written_in(self.implementation)

    @property
    def mend(self) -> str:
        return f"Correct {self.file}, {self.kind.other}"

    def _written_in(self, found: type) -> Path:
        return _file_of(sys.modules.get(found.__module__, self.module))

    def identity(self) -> dict[str, str | None]:
        """What decides, besides its own description, what it answers: enters the fingerprint."""
        file = self.file_of_class
        source = digest_file(file) if file.is_file() else None
        return {"class": self.target, "package": self.package or _package_of(file), "source": source}

    def _unimportable(self, error: BaseException) -> UserError:
        wrong = f"{self.title} cannot be imported: module {self.module_name} raises {described(error)}"
        return UserError(wrong, f"Correct that module, {self.kind.other}")


def find(kind: PluginKind, name: str) -> Plugin:
    """The plug-in of that name, not imported.

    Raises UserError for an unknown name and one that two packages claim.
    """
    if name in kind.built_in:
        return Plugin(kind, name, kind.built_in[name])
    if ":" in name:
        return _by_path(kind, name)
    if name in outside_names(kind):
        return find_outside(kind, name)
    known = names(kind)
    module, dot, end = name.rpartition(".")  # as in the name of a run's folder
    close = [f"{module}:{end}"] if dot else difflib.get_close_matches(name, known, 1)
    nearest = close[0] if close else kind.example
    remedy = f"Choose one: {kind.choice}{nearest}, or give a class: {kind.choice}package.module:Class"
    raise UserError(f"unknown {kind.word} '{name}'; known: {', '.join(known)}", remedy)


def names(kind: PluginKind) -> list[str]:
    """Built-in names and those of entry points, sorted; nothing is imported."""
    return sorted({*kind.built_in, *outside_names(kind)})


def outside_names(kind: PluginKind) -> list[str]:
    """Names of entry points, sorted; nothing is imported."""
    return sorted({entry.name for entry in _entries(kind)})


def find_outside(kind: PluginKind, name: str) -> Plugin:
    """The plug-in of an entry point.

    Raises UserError for one that no run can name.
    """
    claiming = claims(kind, name)
    packages = packages_of(claiming)
    if name in kind.built_in:
        wrong = f"the entry point '{name}' of {packages} has the name of a built-in {kind.word}"
        raise UserError(wrong, f"Rename it in group {kind.group} of that package.")
    if len(claiming) > 1:
        wrong = f"{len(claiming)} packages claim the {kind.word} '{name}': {packages}"
        remedy = f"Uninstall one of them, or name the class: {kind.choice}{claiming[0].value}"
        raise UserError(wrong, remedy)
    if not ENTRY_NAME.fullmatch(name):
        wrong = f"the {kind.word} '{name}' of {packages} has other signs in its name than letters, digits and '_'"
        raise UserError(wrong, f"Rename it in group {kind.group}, or name the class: {kind.choice}{claiming[0].value}")
    target = claiming[0].value.partition("[")[0].replace(" ", "")
    if not CLASS_PATH.fullmatch(target):
        wrong = f"the entry point '{name}' of {packages} is '{claiming[0].value}', not of the form package.module:Class"
        raise UserError(wrong, f"Correct it in group {kind.group} of that package.")
    return Plugin(kind, name, target, packages)


def create(kind: PluginKind, name: str, options: Mapping[str, Any], source: Source) -> Any:
    """The labeler or keypoint finder of that name, with its options checked.

    One from outside is within a guard that checks its answers. Raises UserError for one that is unknown or cannot be
    used, and for its options.
    """
    plugin = find(kind, name)
    made = plugin.implementation
    if plugin.built_in:
        return made(options, source)
    origin = PluginOrigin(kind.word, name, plugin.title, plugin.file_of_class, plugin.mend, plugin.identity())
    with origin.told("when it is made"):
        return kind.guard(origin, made(copy.deepcopy(dict(options)), source))


def claims(kind: PluginKind, name: str) -> list[EntryPoint]:
    """Entry points of that name: more than one where packages quarrel."""
    return [entry for entry in _entries(kind) if entry.name == name]


def packages_of(entries: list[EntryPoint]) -> str:
    """Name and version of the distributions that entry points belong to."""
    return " and ".join(sorted(f"{entry.dist.name} {entry.dist.version}" for entry in entries if entry.dist))


def _entries(kind: PluginKind) -> list[EntryPoint]:
    return list(importlib.metadata.entry_points(group=kind.group))


def _by_path(kind: PluginKind, path: str) -> Plugin:
    if not CLASS_PATH.fullmatch(path):
        wrong = f"{kind.word} '{path}' is not of the form package.module:Class"
        raise UserError(wrong, f"Correct it, e.g. {kind.choice}mypackage.parts:MyClass.")
    if path.startswith("__main__:"):
        wrong = f"{kind.word} '{path}' lies in the program that runs, which no worker process can import"
        raise UserError(wrong, f"Move the class to a module of its own: {kind.choice}mymodule:{path.partition(':')[2]}")
    return Plugin(kind, path, path)


def _protocol(kind: PluginKind) -> type:
    module, _, name = kind.protocol.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


def _file_of(module: ModuleType) -> Path:
    return Path(getattr(module, "__file__", None) or module.__name__)


def _package_of(file: Path) -> str | None:
    """Name and version of the installed distribution that a file belongs to. None for a file that lies elsewhere."""
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        if file.is_relative_to(folder):
            top = file.relative_to(folder).parts[0].removesuffix(".py")
            owners = importlib.metadata.packages_distributions().get(top, [])
            with contextlib.suppress(IndexError, importlib.metadata.PackageNotFoundError):
                return f"{owners[0]} {importlib.metadata.version(owners[0])}"
    return None
