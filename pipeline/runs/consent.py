"""Consent to replace finished labels and trainings.

Both may have taken hours. With other options a stage runs only if it is asked for by name. Changed inputs, another
version of the stage and lost outputs need no consent: what is there is of no use then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.runs import stamp
from pipeline.runs.command import INIT, RunCommand
from pipeline.runs.config_record import differing, setting, usable
from pipeline.runs.layout import EXPERIMENTS
from pipeline.runs.recall import SECTIONS_OF, options_of
from pipeline.runs.relocation import relocated
from pipeline.runs.run import Run
from pipeline.runs.stamp import OptionChange, Stamp

RETRAIN, RELABEL = "--retrain", "--relabel"
ASKED = {"labeler": RETRAIN, "masks": RELABEL, "train": RETRAIN}  # stage -> flag
OUTPUTS = (".safetensors", ".h5")  # what takes hours
CODE = "version"  # of a labeler or keypoint finder: no option
PLACES = ("labeler.options.folder",)  # of files whose content is an input
KEYPOINTS = "pose"  # in the settings of masks, None without any
WEIGHTS_FILE = ("train.init", "init")  # in the settings of a training


@dataclass(frozen=True)
class Refusal:
    """Why a stage does not run, and the commands that go on."""

    wrong: str
    remedy: str


def refusal(name: str, version: int, run: Run, settings: Mapping[str, object]) -> Refusal | None:
    """Refusal of a stale stage; None if it may run.

    It is refused if other options are the reason to replace finished outputs, and nobody asked for it by name.
    """
    made = run.stamp(name)
    if name not in ASKED or ASKED[name] in run.consent or made is None or made.version != version:
        return None
    if not any((run.paths.folder(name) / file).is_file() for file in made.outputs if file.endswith(OUTPUTS)):
        return None
    changes = [change for change in stamp.option_changes(made.config, settings) if _counts(name, change, made)]
    if not changes or as_recorded(name, run, made):
        return None
    said = "; ".join(f"option {change.name} {change.text}" for change in changes)
    wrong = f"{run.paths.folder(name)} is finished, with other options: {said}"
    return Refusal(wrong, _remedy(name, run, made, changes))


def require_consent(name: str, version: int, run: Run, settings: Mapping[str, object]) -> None:
    """Raises UserError for a refusal."""
    refused = refusal(name, version, run, settings)
    if refused is not None:
        raise UserError(refused.wrong, refused.remedy)


def _counts(name: str, change: OptionChange, made: Stamp) -> bool:
    """Whether a change is one of the user's options."""
    if change.name.rpartition(".")[2] == CODE or change.name in PLACES:
        return False
    if name == "masks":  # keypoints that were not there are asked for by their own name
        of_keypoints = change.name.partition(".")[0] in (KEYPOINTS, stamp.PRESENT[KEYPOINTS])
        return not (of_keypoints and made.config.get(KEYPOINTS) is None)
    added = change.old is None or change.new is None  # by another version of the program
    return not added or change.name.startswith(WEIGHTS_FILE)


def as_recorded(name: str, run: Run, made: Stamp) -> bool:
    """Whether a stage has its recorded options.

    Where its settings differ all the same, a file has changed that the options name.
    """
    old = _recorded(name, run, made)
    try:
        return old is not None and not differing(
            run.config, options_of(old, lambda: run.config_name), SECTIONS_OF[name]
        )
    except UserError:
        return False


def _recorded(name: str, run: Run, made: Stamp) -> RunCommand | None:
    if made.command is None:
        return None
    return relocated(usable(made.command, run.paths.stamp(name)), run.paths, lambda: run.config_name)


def _remedy(name: str, run: Run, made: Stamp, changes: list[OptionChange]) -> str:
    """Commands that replace the outputs, that leave them and make others, and that use them as they are."""
    flags = sorted(run.consent | {ASKED[name]})
    lines = [f"Run: {run.command.make(name, *flags)}", f"or, to keep both: {_beside(name, run, changes)}"]
    kept = _kept(name, run, made, changes)
    return "; ".join([*lines, *([f"or, to keep what is there: {kept.make(name)}"] if kept else [])])


def _beside(name: str, run: Run, changes: list[OptionChange]) -> str:
    """Command that makes other outputs beside the finished ones."""
    word = _word(run, changes)
    if name == "train":
        folder = run.paths.runs / run.paths.run_name / EXPERIMENTS
        return replace(run.command, experiment=_free(folder, word)).make(name, *sorted(run.consent))
    runs = run.paths.runs.absolute()
    other = _free(runs.parent, f"{runs.name}-{word}")
    return replace(run.command, runs=str(run.paths.runs.parent / other)).make(name, *sorted(run.consent))


def _kept(name: str, run: Run, made: Stamp, changes: list[OptionChange]) -> RunCommand | None:
    """Command with the options that the outputs were made with, and the present ones of other stages.

    Where the options of the stamps are used, the command without any means them.
    """
    if run.recalled:
        return run.command.bare
    old = _recorded(name, run, made)
    try:
        if old is not None:
            wanted = options_of(old, lambda: run.config_name)
            return run.command.adding(differing(wanted, run.config, SECTIONS_OF[name]))
    except UserError:
        return None
    prefix = "masks." if name == "masks" else "danet." if name == "labeler" else ""
    simple = all(change.old is not None and not isinstance(change.old, dict) for change in changes)
    sets = tuple(setting(f"{prefix}{change.name}", change.old) for change in changes) if simple else ()
    try:
        _ = replace(run, command=run.command.adding(sets), options=None).config
    except UserError:  # an option of a labeler
        return None
    return run.command.adding(sets) if sets else None


def _word(run: Run, changes: list[OptionChange]) -> str:
    """Name for outputs with the present options."""
    change, config = changes[0], Path(run.command.config)
    if len(changes) > 1 and config.stem and config.suffix != ".json":
        text = config.stem
    elif change.name.startswith(WEIGHTS_FILE):
        init = run.config.train.init if change.name.startswith(INIT) else run.config.danet.init
        text = f"init-{Path(init).name.partition('.')[0]}"
    else:
        text = f"{change.name.rpartition('.')[2]}-{'' if change.new is None else change.new}"
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.")[:40] or "other"


def _free(folder: Path, name: str) -> str:
    """The name, with a number if the folder has it already."""
    names = [name, *(f"{name}-{number}" for number in range(2, 1000))]
    return next((one for one in names if not (folder / one).exists()), name)
