"""`sorn clean`: removes the outputs of one run, and nothing that this tool did not write.

What a stage may leave in its folder is in pipeline.runs.layout; any other file stays, and is named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.runs.command import OWN
from pipeline.runs.layout import EXPERIMENTS, EXPORT, LEAVING, STAMP, TABLES, TablesPaths, own_files
from pipeline.runs.lock import LOCK, held
from pipeline.runs.run import OutputFolder, Run
from pipeline.stages.driver import chain, told_by_name


@dataclass(frozen=True)
class CleanedFolder:
    """A folder that one stage, or the tables, writes. locks: the folders that are held while somebody works in it."""

    stage: str
    folder: Path
    locks: tuple[Path, ...]

    @property
    def leaving(self) -> Path:
        """Where the folder goes before it is removed: a clean that is killed leaves no half of it under its name."""
        return self.folder.with_name(self.folder.name + LEAVING)


@dataclass(frozen=True)
class Cleaned:
    """removed: folders whose outputs are gone. kept: files that this tool did not write, which are still there."""

    removed: list[Path]
    kept: list[Path]


def clean(run: Run) -> Cleaned:
    """Remove the outputs of one dataset and labeler: those of the stages, of its experiments, and its tables; of an
    experiment, what is its own; with TRAINED_ON, of that evaluation and what it is made from here.

    Never touches a checkpoint trained elsewhere, nor the dataset, nor what was exported. Removes nothing, and raises
    UserError, while anybody is at work in any of these folders.
    """
    paths = run.paths
    places = list(_places(run))
    there = [place for place in places if place.folder.is_dir()]
    kept = []
    with told_by_name(run, "clean"):
        with contextlib.ExitStack() as locks:
            for folder in dict.fromkeys(lock for place in there for lock in place.locks):
                locks.enter_context(held(folder, "clean"))
            _remove_leaving(places)  # of a command that was killed
            for place in there:
                foreign = _foreign(place)
                kept += foreign
                if foreign:
                    _remove_own(place)
                else:  # all at once, and out of the way: NFS cannot remove a lock's file that is open
                    place.folder.rename(place.leaving)
        _remove_leaving(places)
        if not paths.trained_on:
            beside = _files(paths.runs / paths.run_name / EXPERIMENTS / paths.experiment)
            kept += [file for file in beside if file not in kept and file.name != LOCK]
    parents = {parent for place in places for parent in place.folder.parents}
    for folder in sorted(parents, key=lambda parent: -len(parent.parts)):
        if folder != paths.runs and folder.is_relative_to(paths.runs):
            _remove_empty(folder)
    return Cleaned([place.folder for place in there], kept)


def _places(run: Run) -> Iterator[CleanedFolder]:
    """Every folder that `clean` would remove, existing or not."""
    needed = chain(run)
    for output in run.folders():
        if output.stage == TABLES:
            if not run.paths.trained_on:
                parts = TablesPaths.of(run.paths).parts.glob("*")
                yield CleanedFolder(TABLES, output.folder, tuple(sorted(path for path in parts if path.is_dir())))
        elif output.stage != EXPORT and output.stage in needed and _goes(output, run):
            yield CleanedFolder(output.stage, output.folder, (output.folder,))


def _goes(output: OutputFolder, run: Run) -> bool:
    """Whether a stage's folder is one of those that are asked for."""
    if output.stage not in OWN:
        return not run.paths.experiment
    if run.paths.trained_on:
        return output.folder == run.paths.folder(output.stage)
    return run.paths.experiment in ("", output.run.paths.experiment)


def _foreign(place: CleanedFolder) -> list[Path]:
    """Files in a place that this tool did not write."""
    own = own_files(place.stage, place.folder)
    return [file for file in _files(place.folder) if file not in own]


def _files(folder: Path) -> list[Path]:
    """All that is no folder; a link to a folder is none."""
    found = []
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        found += [here / name for name in files] + [here / name for name in folders if (here / name).is_symlink()]
    return sorted(found)


def _remove_own(place: CleanedFolder) -> None:
    """The stamp first, so that what is left half removed is never fresh. The lock's file stays: it is in use."""
    own = own_files(place.stage, place.folder)
    for file in sorted(own, key=lambda file: (file.name != STAMP, file)):
        if file.name != LOCK:
            file.unlink()
    for parent, _, _ in os.walk(place.folder, topdown=False):
        _remove_empty(Path(parent))


def _remove_leaving(places: list[CleanedFolder]) -> None:
    for place in places:
        if place.leaving.is_dir():
            shutil.rmtree(place.leaving)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # something else is in it
        folder.rmdir()
