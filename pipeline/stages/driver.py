"""Driver of the stages: state of all, execution of stale ones.

Reads and writes stamps. A stage is a module of pipeline/stages with NAME, VERSION, settings, inputs, run, finish,
outputs and provides (see Stage). The stage does the work. Only the driver decides whether the work is needed, records
that it was done, and manages the processes of torchrun that share it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import UserError
from pipeline.labelers import needs_training
from pipeline.runs import stamp
from pipeline.runs.command import OWN
from pipeline.runs.inputs import Input, as_stored
from pipeline.runs.lock import held
from pipeline.runs.run import STAGES, Run
from pipeline.runtime import distributed

logger = logging.getLogger(__name__)

DIVIDED = ("masks", *OWN)  # stages whose work the processes of torchrun divide


class Stage(Protocol):
    """Interface of a stage.

    settings: JSON values that can change the result. inputs: what the stage reads; raises UserError if it is missing.
    run: the work that the processes of torchrun share; continues unfinished work with the same fingerprint. finish: the
    rest of the work, in process 0 only, with the result of `run`; returns the main file. outputs: files for the stamp.
    provides: digests for later stages.
    """

    NAME: str
    VERSION: int

    def settings(self, run: Run) -> Mapping[str, object]: ...
    def inputs(self, run: Run) -> Iterable[Input]: ...
    def run(self, run: Run, fingerprint: str) -> Any: ...
    def finish(self, run: Run, result: Any) -> Path: ...
    def outputs(self, run: Run) -> list[Path]: ...
    def provides(self, run: Run) -> dict[str, str]: ...


@dataclass(frozen=True)
class State:
    """State of one stage.

    reasons: why it is stale; empty if it is fresh. remedy: how to make it fresh.
    """

    stage: str
    folder: Path
    reasons: list[str]
    remedy: str


def chain(run: Run) -> tuple[str, ...]:
    """Names of the stages that a run needs, in order.

    `labeler` is left out if the labeler is not trained, and `train` if the checkpoint comes from another run.
    """
    left_out = {"train"} if run.paths.trained_on else set()
    if not needs_training(run.paths.labeler, run.config.masks.options):
        left_out.add("labeler")
    return tuple(name for name in STAGES if name not in left_out)


def state(stage: Stage, run: Run) -> State:
    folder = run.paths.folder(stage.NAME)
    try:
        remedy = _remedy(stage.NAME, run)
        inputs = as_stored(stage.NAME, stage.inputs(run))
        reasons = stamp.why_stale(folder, stage.NAME, stage.VERSION, inputs, stage.settings(run))
    except UserError as error:
        reasons, remedy = [error.wrong], error.remedy
    return State(stage.NAME, folder, reasons, remedy)


def _remedy(name: str, run: Run) -> str:
    """Command for the run with its present options, and with the options of its stamp if they differ."""
    present = run.make(name)
    stamped = run.remembered(run.stamp(name), name) or present
    return f"Run: {present}" if stamped == present else f"Run: {present}; or, as it was made: {stamped}"


def execute(stages: dict[str, Stage], name: str, run: Run, force: bool = False) -> Path | None:
    """Run one stage if it is stale; None if it is fresh.

    Under torchrun all processes share the work. Process 0 finishes it, writes the stamp and the messages, and returns
    the main file. The other processes return the folder. Raises UserError if an earlier stage is missing or stale.
    """
    processes, start = distributed.here(), time.monotonic()
    if processes.world > 1 and name not in DIVIDED:
        wrong = f"the work of {name} cannot be divided between {processes.world} processes of torchrun"
        raise UserError(wrong, f"Run: {run.make(name)}")
    stage, folder = stages[name], run.paths.folder(name)
    with contextlib.ExitStack() as locks:
        with _group(), told_by_name(run, name):
            _require_fresh_input(stages, name, run)
            settings, inputs = stage.settings(run), as_stored(name, stage.inputs(run))
            reasons = None
            if processes.number == 0:  # another process might look when the old stamp is removed already
                reasons = stamp.why_stale(folder, name, stage.VERSION, inputs, settings)
                if reasons or force:
                    locks.enter_context(held(folder, name))
            reasons = distributed.meet(value=reasons)
            if not reasons and not force:
                distributed.say(f"{name}: fresh, nothing to do ({folder})")
                return None
            distributed.say(f"{name}: {'; '.join(reasons[:3]) or 'forced'}{' ...' if len(reasons) > 3 else ''}")
            if processes.number == 0:
                stamp.remove(folder)
            result = stage.run(run, stamp.fingerprint(name, stage.VERSION, inputs, settings))
        if processes.number:
            seconds = time.monotonic() - start
            logger.info(f"{name}: process {processes.number} has done its share in {seconds:.0f} s")
            return folder
        with told_by_name(run, name):
            main = stage.finish(run, result)
            outputs, provides = stage.outputs(run), stage.provides(run)
            stamp.write(folder, name, stage.VERSION, inputs, settings, outputs, provides, run.recorded)
    logger.info(f"{name}: done in {time.monotonic() - start:.0f} s -> {main}")
    return main


def warn_of_refusals(stages: Mapping[str, Stage], name: str, run: Run) -> None:
    """Warning of options that a later stage will refuse.

    It comes before hours of this stage's work. A stage that can tell has a function `check`, which raises UserError.
    name: of this stage.
    """
    if distributed.here().number:
        return
    for later in STAGES[STAGES.index(name) + 1 :]:
        check = getattr(stages[later], "check", None)
        if check is not None and not (later == "train" and run.paths.trained_on):
            try:
                check(run)
            except UserError as error:
                logger.warning(f"{name}: {later} will refuse these options: {error}")


def work(stage: Stage, run: Run, fingerprint: str) -> Path:
    """Main file of a stage, computed now in this process.

    The work is done even if the stage is fresh, without stamp and lock.
    """
    return stage.finish(run, stage.run(run, fingerprint))


@contextlib.contextmanager
def _group() -> Iterator[None]:
    """Group of the processes of torchrun during the shared work; an error of one process is raised in all."""
    if distributed.here().world == 1:
        yield
        return
    distributed.join()
    try:
        yield
        distributed.meet()
    except distributed.SharedFailure:
        raise
    except UserError as error:
        distributed.meet(error)
        raise
    finally:
        distributed.leave()


@contextlib.contextmanager
def told_by_name(run: Run, name: str) -> Iterator[None]:
    """Context that turns an OSError into a UserError.

    Examples: a full disk, a read-only folder, a file that was removed. The error names the file, and the folder to
    check. name: of a stage, or "clean".
    """
    folder = run.paths.folder(name) if name in STAGES else run.paths.runs
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise UserError(
            f"{name} could not read or write {where}: {error.strerror or error}",
            f"Check that {folder} can be written and has room, then run again: {run.make(name)}",
        ) from error


def _require_fresh_input(stages: dict[str, Stage], name: str, run: Run) -> None:
    for before in chain(run):
        if STAGES.index(before) >= STAGES.index(name):
            continue
        earlier = state(stages[before], run)
        if earlier.reasons:
            raise UserError(
                f"{name} needs a fresh {before} stage, but {earlier.folder} is stale: {earlier.reasons[0]}",
                earlier.remedy,
            )
