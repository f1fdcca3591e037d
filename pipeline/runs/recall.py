"""Options of a run's finished stages, as one command.

Every stage has recorded its command in its stamp. Each section of the configuration belongs to one stage. The command
of the latest stage is taken; where an earlier stage was made with other options of its sections, these are added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.runs import stamp
from pipeline.runs.command import OWN, RunCommand
from pipeline.runs.config import Config
from pipeline.runs.config_loading import load_config
from pipeline.runs.config_record import differing, usable
from pipeline.runs.layout import Paths
from pipeline.runs.relocation import relocated

SECTIONS_OF = {
    "labeler": ("danet",),
    "masks": ("masks",),
    "train": ("model", "loss", "schedule", "train"),
    "eval": ("eval",),
}
LATEST_FIRST = ("eval", "train", "masks", "labeler")


def recall(paths: Paths, default: Callable[[], str]) -> RunCommand | None:
    """Command with the options of a run's finished stages.

    Returns None if no stamp has a command. An experiment without stamps of its own has the options of its run. default:
    the configuration of a command that names none, called if needed.
    """
    made = _commands(paths, default)
    if not made:
        return None
    latest = next(iter(made.values()))
    sets: list[str] = []
    for stage, command in made.items():
        if stage != "eval" and _options(command) != _options(latest):
            sets += _own_options(SECTIONS_OF[stage], command, latest, default)
    return latest.adding(tuple(sets))


def options_of(command: RunCommand, default: Callable[[], str]) -> Config:
    """Configuration of a command. Raises UserError as `load_config` does."""
    return load_config(command.config or default(), command.overrides)


def _commands(paths: Paths, default: Callable[[], str]) -> dict[str, RunCommand]:
    """Stage -> its command with the present places of its files, the latest stage first."""
    made = _recorded(paths, LATEST_FIRST)
    if paths.experiment and not made.keys() & set(OWN):
        made = _recorded(replace(paths, experiment="", trained_on=None), OWN) | made
    return {stage: relocated(made[stage], paths, default) for stage in LATEST_FIRST if stage in made}


def _recorded(paths: Paths, stages: tuple[str, ...]) -> dict[str, RunCommand]:
    found = {}
    for stage in stages:
        command = _read(paths.stamp(stage))
        foreign = (
            stage == "labeler" and command is not None and command.labeler != paths.labeler
        )  # all labelers share it
        if command is not None and not foreign and not (stage == "train" and paths.trained_on):
            found[stage] = usable(command, paths.stamp(stage))
    return found


def _read(path: Path) -> RunCommand | None:
    try:
        made = stamp.read(path.parent)
    except UserError:  # `sorn verify` names a damaged stamp
        return None
    return None if made is None else made.command


def _options(command: RunCommand) -> tuple[object, ...]:
    return command.config, command.set, command.init


def _own_options(
    sections: tuple[str, ...], command: RunCommand, latest: RunCommand, default: Callable[[], str]
) -> tuple[str, ...]:
    """Options of some sections in which a command differs from the latest one; none if one of them cannot be read."""
    try:
        return differing(options_of(command, default), options_of(latest, default), sections)
    except UserError:
        return ()
