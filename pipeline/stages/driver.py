"""Driver of the stages: runs one if it is stale, tells the state of all. Reads and writes stamps.

A stage is a module of pipeline/stages with NAME, VERSION, settings, inputs, run, outputs and provides (see Stage). It
does the work; whether the work is needed, and the record that it was done, are decided here and nowhere else.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import UserError
from pipeline.labelers import needs_training
from pipeline.runs import stamp
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runs.lock import held
from pipeline.runtime import distributed

logger = logging.getLogger(__name__)

ORDER = ("data", "labeler", "masks", "train", "eval")
OWN = ("train", "eval")  # stages of which every experiment has its own
DIVIDED = ("masks", "train", "eval")  # stages whose work the ranks of torchrun divide


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


def chain(config: Config, paths: Paths) -> tuple[str, ...]:
    """The stages of a run in order, without those it does not need: a labeler that is not trained here, and training
    where the checkpoint comes from elsewhere.
    """
    left_out = {"train"} if paths.trained_on else set()
    if not needs_training(paths.labeler, config.masks.options):
        left_out.add("labeler")
    return tuple(name for name in ORDER if name not in left_out)


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
    if name in ("data", "labeler"):
        words.pop()
    if name == "eval" and paths.trained_on:
        words.append(f"TRAINED_ON={paths.trained_on}")
    if name in OWN and paths.experiment:
        words.append(f"EXPERIMENT={paths.experiment}")
    return " ".join(words)


def execute(stages: dict[str, Stage], name: str, config: Config, paths: Paths, force: bool = False) -> Path | None:
    """Run one stage if it is stale; None when it is fresh. Refuses when a stage before it is missing or stale.

    Under torchrun all ranks run it, and rank 0 alone writes the stamp and speaks.
    """
    if distributed.here().world == 1:
        return _execute(stages, name, config, paths, force)
    if name not in DIVIDED:
        wrong = f"the work of {name} cannot be divided between {distributed.here().world} ranks of torchrun"
        raise UserError(wrong, f"Run: {command(name, paths)}")
    distributed.join()
    try:
        return _execute(stages, name, config, paths, force)
    except UserError as error:
        distributed.meet(error)
        raise
    finally:
        distributed.leave()


def _execute(stages: dict[str, Stage], name: str, config: Config, paths: Paths, force: bool) -> Path | None:
    _require_fresh_input(stages, name, config, paths)
    stage, folder, alone = stages[name], paths.folder(name), distributed.here().number == 0
    settings, inputs = stage.settings(config, paths), stage.inputs(config, paths)
    with contextlib.ExitStack() as until_done:
        until_done.enter_context(told_by_name(name, folder, paths))
        reasons = None
        if alone:  # one rank decides: another might look when the old stamp is gone already
            reasons = stamp.why_stale(folder, name, stage.VERSION, inputs, settings)
            if reasons or force:
                until_done.enter_context(held(folder, name))
        reasons = distributed.meet(said=reasons)
        if not reasons and not force:
            distributed.say(f"{name}: fresh, nothing to do ({folder})")
            return None
        distributed.say(f"{name}: {'; '.join(reasons[:3]) or 'forced'}{' ...' if len(reasons) > 3 else ''}")
        start = time.monotonic()
        if alone:
            stamp.remove(folder)
        main = stage.run(config, paths, stamp.fingerprint(name, stage.VERSION, inputs, settings))
        if alone:
            stamp.write(folder, name, stage.VERSION, inputs, settings, stage.outputs(paths), stage.provides(paths))
    if alone:
        logger.info(f"{name}: done in {time.monotonic() - start:.0f} s -> {main}")
    else:
        logger.info(f"{name}: rank {distributed.here().number} has done its part in {time.monotonic() - start:.0f} s")
    return main


@contextlib.contextmanager
def told_by_name(name: str, folder: Path, paths: Paths) -> Iterator[None]:
    """A full disk, a read-only folder, a file that went away: a UserError naming it and the folder to look at."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise UserError(
            f"{name} could not read or write {where}: {error.strerror or error}",
            f"Check that {folder} can be written and has room, then run again: {command(name, paths)}",
        ) from error


def _require_fresh_input(stages: dict[str, Stage], name: str, config: Config, paths: Paths) -> None:
    for before in chain(config, paths):
        if ORDER.index(before) >= ORDER.index(name):
            continue
        earlier = state(stages[before], config, paths)
        if earlier.reasons:
            raise UserError(
                f"{name} needs a fresh {before} stage, but {earlier.folder} is stale: {earlier.reasons[0]}",
                earlier.remedy,
            )
