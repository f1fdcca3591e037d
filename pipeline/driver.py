"""Runs one stage, or says why it need not; tells the state of all. Reads and writes stamps, through pipeline.stamp.

A stage is a module of pipeline/stages with NAME, VERSION, settings, inputs, run, outputs and provides (see Stage). It
does the work; whether the work is needed, and the record that it was done, are decided here and nowhere else.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import click

from pipeline import stamp
from pipeline.config import Config
from pipeline.errors import UserError
from pipeline.layout import Paths

ORDER = ("data", "masks", "train", "eval")


class Stage(Protocol):
    """settings: JSON values that can change the result. inputs: name -> digest of what the stage reads, UserError where
    it is missing. run: does the work, going on from what carries the same fingerprint, and returns the main file.
    outputs: files for the stamp. provides: digests for later stages.
    """

    NAME: str
    VERSION: int

    def settings(self, config: Config, paths: Paths) -> dict[str, Any]: ...
    def inputs(self, config: Config, paths: Paths) -> dict[str, str]: ...
    def run(self, config: Config, paths: Paths, fingerprint: str) -> Path: ...
    def outputs(self, paths: Paths) -> list[Path]: ...
    def provides(self, paths: Paths) -> dict[str, str]: ...


@dataclass(frozen=True)
class State:
    """Of one stage: fresh when there are no reasons; `remedy` is the sentence that says how to make it fresh."""

    stage: str
    folder: Path
    reasons: list[str]
    remedy: str


def chain(paths: Paths) -> tuple[str, ...]:
    """The stages of a run in order; with a checkpoint trained elsewhere there is nothing to train here."""
    return tuple(name for name in ORDER if not (name == "train" and paths.trained_on))


def state(stage: Stage, config: Config, paths: Paths) -> State:
    folder, remedy = paths.folder(stage.NAME), f"Run: {command(stage.NAME, paths)}"
    try:
        reasons = stamp.why_stale(
            folder, stage.NAME, stage.VERSION, stage.inputs(config, paths), stage.settings(config, paths)
        )
    except UserError as error:
        reasons, remedy = [error.wrong], error.remedy
    return State(stage.NAME, folder, reasons, remedy)


def command(name: str, paths: Paths) -> str:
    """The command that runs a stage, as the user would type it."""
    words = [f"make {name}", f"DATASET={paths.dataset}", f"LABELER={paths.labeler}"]
    if name == "data":
        words.pop()
    if name == "eval" and paths.trained_on:
        words.append(f"TRAINED_ON={paths.trained_on}")
    return " ".join(words)


def execute(stages: dict[str, Stage], name: str, config: Config, paths: Paths, force: bool = False) -> Path | None:
    """Run one stage if it is stale; None when it is fresh. Refuses when a stage before it is missing or stale."""
    for before in chain(paths)[: chain(paths).index(name)]:
        earlier = state(stages[before], config, paths)
        if earlier.reasons:
            raise UserError(
                f"{name} needs a fresh {before} stage, but {earlier.folder} is stale: {earlier.reasons[0]}",
                earlier.remedy,
            )
    stage, folder = stages[name], paths.folder(name)
    settings, inputs = stage.settings(config, paths), stage.inputs(config, paths)
    reasons = stamp.why_stale(folder, name, stage.VERSION, inputs, settings)
    if not reasons and not force:
        click.echo(f"{name}: fresh, nothing to do ({folder})")
        return None
    click.echo(f"{name}: {'; '.join(reasons[:3]) or 'forced'}{' ...' if len(reasons) > 3 else ''}")
    start = time.monotonic()
    stamp.remove(folder)
    try:
        main = stage.run(config, paths, stamp.fingerprint(name, stage.VERSION, inputs, settings))
        stamp.write(folder, name, stage.VERSION, inputs, settings, stage.outputs(paths), stage.provides(paths))
    except OSError as error:  # a full disk, a read-only folder, a file that went away
        where = error.filename or folder
        raise UserError(
            f"{name} could not read or write {where}: {error.strerror or error}",
            f"Check that {folder} can be written and has room, then run again: {command(name, paths)}",
        ) from error
    click.echo(f"{name}: done in {time.monotonic() - start:.0f} s -> {main}")
    return main


def clean(paths: Paths) -> list[Path]:
    """Remove the output folders of one dataset and labeler; returns those that were there. Never touches a checkpoint
    trained elsewhere, nor the dataset.
    """
    folders = [folder for folder in map(paths.folder, chain(paths)) if folder.is_dir()]
    for folder in folders:
        shutil.rmtree(folder)
        with contextlib.suppress(OSError):  # the run's folder goes when nothing else is in it
            folder.parent.rmdir()
    return folders
