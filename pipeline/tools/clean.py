"""Removal of the outputs of one run: `sorn clean`.

The outputs of a stage are listed in pipeline.runs.layout. Every other file stays, and is named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.runs.command import OWN
from pipeline.runs.layout import EXPERIMENTS, EXPORT, LEAVING, STAMP, TABLES, own_files
from pipeline.runs.lock import LOCK, held
from pipeline.runs.output_folders import OutputFolder, output_folders
from pipeline.runs.result_paths import TablesPaths
from pipeline.runs.run import Run
from pipeline.stages.driver import chain, told_by_name


@dataclass(frozen=True)
class CleanedFolder:
    """Output folder of one stage or of the tables.

    locks: folders that a process holds while it works in this folder.
    """

    stage: str
    folder: Path
    locks: tuple[Path, ...]

    @property
    def leaving(self) -> Path:
        """Path to which the folder is renamed before it is removed.

        So a `sorn clean` that is killed never leaves half of the folder under its own name.
        """
        return self.folder.with_name(self.folder.name + LEAVING)


@dataclass(frozen=True)
class Cleaned:
    """Result of `clean`.

    removed: folders whose outputs were removed. kept: files that stay, because this program did not write them.
    """

    removed: list[Path]
    kept: list[Path]


def clean(run: Run) -> Cleaned:
    """Remove the outputs of a run, an experiment or an evaluation.

    For a run: the outputs of its stages, its experiments and its tables. For an experiment: its own outputs. With
    TRAINED_ON: that evaluation, and the outputs of this run that it was made from. A checkpoint of another run, the
    dataset and exported networks are never removed. Raises UserError and removes nothing while a process works in one
    of these folders.
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
    for output in output_folders(run):
        if output.stage == TABLES:
            if not run.paths.trained_on:
                parts = TablesPaths.of(run.paths).parts.glob("*")
                yield CleanedFolder(TABLES, output.folder, tuple(sorted(path for path in parts if path.is_dir())))
        elif output.stage != EXPORT and output.stage in needed and _goes(output, run):
            yield CleanedFolder(output.stage, output.folder, (output.folder,))


def _goes(output: OutputFolder, run: Run) -> bool:
    """Whether a stage's folder belongs to the outputs that `run` names."""
    if output.stage not in OWN:
        return not run.paths.experiment
    if run.paths.trained_on:
        return output.folder == run.paths.folder(output.stage)
    return run.paths.experiment in ("", output.run.paths.experiment)


def _foreign(place: CleanedFolder) -> list[Path]:
    """Files in a folder that this program did not write."""
    own = own_files(place.stage, place.folder)
    return [file for file in _files(place.folder) if file not in own]


def _files(folder: Path) -> list[Path]:
    """All files below a folder. A link to a folder counts as a file."""
    below = []
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        below += [here / name for name in files] + [here / name for name in folders if (here / name).is_symlink()]
    return sorted(below)


def _remove_own(place: CleanedFolder) -> None:
    """Remove the outputs, the stamp first: so a half removed folder is never fresh. The lock file stays, in use."""
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
