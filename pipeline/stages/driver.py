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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import LostFile, UserError
from pipeline.io.digests import remembered
from pipeline.io.files import digest_json
from pipeline.labelers import needs_training
from pipeline.labelers.shipped_danet import shipped_in_place
from pipeline.runs import stamp
from pipeline.runs.command import OWN
from pipeline.runs.consent import refusal, require_consent
from pipeline.runs.inputs import Input, as_stored
from pipeline.runs.lock import held
from pipeline.runs.lost_files import as_finished
from pipeline.runs.replacement import settle
from pipeline.runs.run import STAGES, Run
from pipeline.runs.ways_on import record_origin
from pipeline.runtime import distributed

logger = logging.getLogger(__name__)

DIVIDED = ("masks", *OWN)  # stages whose work the processes of torchrun divide
TRAININGS = ("labeler", "train")
REPLACED = ("labeler", "masks", *OWN)  # stages whose finished outputs stay until newer ones are complete


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

    reasons: why it is stale; empty if it is fresh. remedy: how to make it fresh. refused: why it does not run unasked,
    "" if it does.
    """

    stage: str
    folder: Path
    reasons: list[str]
    remedy: str
    refused: str = ""


def chain(run: Run) -> tuple[str, ...]:
    """Names of the stages that a run needs, in order.

    `labeler` is left out if the labeler is not trained or ships, and `train` if the checkpoint comes from another run.
    """
    left_out = {"train"} if run.paths.trained_on else set()
    if not needs_training(run.paths.labeler, run.config.masks.options) or shipped_in_place(run.paths):
        left_out.add("labeler")
    return tuple(name for name in STAGES if name not in left_out)


def state(stage: Stage, run: Run) -> State:
    folder = run.paths.folder(stage.NAME)
    try:
        remedy = _remedy(stage.NAME, run)
        with remembered(_known_digests(run)):
            inputs, settings = _made_from(stage, run)
            reasons = stamp.why_stale(folder, stage.NAME, stage.VERSION, inputs, settings)
        refused = refusal(stage.NAME, stage.VERSION, run, settings) if reasons else None
    except UserError as error:
        return State(stage.NAME, folder, [error.wrong], error.remedy)
    if refused is not None:
        return State(stage.NAME, folder, reasons, refused.remedy, refused.wrong)
    return State(stage.NAME, folder, reasons, remedy)


def _made_from(stage: Stage, run: Run) -> tuple[dict[str, str], Mapping[str, object]]:
    """Inputs, as stored, and settings of a stage: the recorded ones for what was finished before a file was lost."""
    try:
        return as_stored(stage.NAME, stage.inputs(run)), stage.settings(run)
    except LostFile:
        found = as_finished(stage.NAME, stage.VERSION, run)
        if found is None:
            raise
        return found


def _known_digests(run: Run) -> str:
    """Name of the digests of a dataset and of all outputs of its runs."""
    runs = digest_json(str(run.paths.runs.absolute()))[:16]
    return f"{run.paths.dataset_name}-{runs}"


def _remedy(name: str, run: Run) -> str:
    """Command for the run with its present options, and with the recorded ones if they are others."""
    present, made = f"Run: {run.make(name)}", run.stamp(name)
    recorded = None if made is None or run.recalled else run.remembered(made, name)
    if recorded in (None, run.command.make(name)):
        return present
    return f"{present}; or, with the options that the run was made with: {run.command.bare.make(name)}"


def execute(stages: dict[str, Stage], name: str, run: Run, force: bool = False) -> Path | None:
    """Run one stage if it is stale; None if it is fresh.

    Under torchrun all processes share the work. Process 0 finishes it, writes the stamp and the messages, and returns
    the main file. The other processes return the folder. Raises UserError if an earlier stage is missing or stale, and
    for finished labels or trainings with other options (pipeline.runs.consent).
    """
    processes, start = distributed.here(), time.monotonic()
    if processes.world > 1 and name not in DIVIDED:
        wrong = f"the work of {name} cannot be divided between {processes.world} processes of torchrun"
        raise UserError(wrong, f"Run: {run.make(name)}")
    stage, folder = stages[name], run.paths.folder(name)
    with remembered(_known_digests(run)), contextlib.ExitStack() as locks:
        with _group(run.runtime.device), told_by_name(run, name):
            _require_fresh_input(stages, name, run)
            inputs, settings = _made_from(stage, run)
            reasons = None
            if processes.number == 0:
                reasons = stamp.why_stale(folder, name, stage.VERSION, inputs, settings)
                if reasons and not force:
                    require_consent(name, stage.VERSION, run, settings)
                if reasons or force:
                    locks.enter_context(held(folder, name))
            reasons = distributed.meet(value=reasons)
            if not reasons and not force:
                distributed.say(f"{name}: fresh, nothing to do ({folder})")
                with contextlib.suppress(OSError):  # of a process that was killed after it had written the stamp
                    _remove_states(run, name)
                return None
            if run.recalled and name != "data":
                distributed.say(f"{name}: with the options that the run was made with: {run.recalled}")
            distributed.say(f"{name}: {'; '.join(reasons[:3]) or 'forced'}{' ...' if len(reasons) > 3 else ''}")
            fingerprint = stamp.fingerprint(name, stage.VERSION, inputs, settings)
            working = _working(run, name, fingerprint)
            result = stage.run(working, fingerprint)
        if processes.number:
            seconds = time.monotonic() - start
            logger.info(f"{name}: process {processes.number} has done its share in {seconds:.0f} s")
            return folder
        with told_by_name(run, name):
            main = _moved(stage.finish(working, result), working, run, name)
            outputs, provides, place = stage.outputs(working), stage.provides(working), working.paths.folder(name)
            stamp.write(place, name, stage.VERSION, inputs, settings, outputs, provides, run.recorded)
            settle(folder)
            _remove_states(run, name)
            if name == "data":
                record_origin(run)
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
    main = stage.finish(run, stage.run(run, fingerprint))
    _remove_states(run, stage.NAME)
    return main


def _working(run: Run, name: str, fingerprint: str) -> Run:
    """Run for the work of a stage: in next/ where finished outputs must stay until the newer ones are complete.

    A repair of the same outputs is done in their folder, where every whole shard and feature is used again; a training
    that is repeated is not.
    """
    made = run.stamp(name)
    if name not in REPLACED or made is None or (made.fingerprint == fingerprint and name not in TRAININGS):
        return run
    return replace(run, paths=replace(run.paths, renewed=name))


def _moved(file: Path, working: Run, run: Run, name: str) -> Path:
    """Place of a stage's file after the work."""
    return run.paths.folder(name) / file.relative_to(working.paths.folder(name))


def _remove_states(run: Run, name: str) -> None:
    """Remove the training states of a finished stage, with any fingerprint.

    Those in next/ belong to a training that is to replace this one.
    """
    for path in run.paths.states(name):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _group(device: str) -> Iterator[None]:
    """Group of the processes of torchrun during the shared work; an error of one process is raised in all."""
    if distributed.here().world == 1:
        yield
        return
    distributed.join(device)
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
            wrong = earlier.refused or f"{earlier.folder} is stale: {earlier.reasons[0]}"
            raise UserError(f"{name} needs a fresh {before} stage, but {wrong}", earlier.remedy)
