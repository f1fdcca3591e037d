"""Present places of the files that recorded options name.

A stamp records paths as they were typed. Where the dataset, the folder of datasets or the folder of runs is another one
now, a file that lay in it, or beside it and is gone there, is taken from the same place in the present one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import UserError
from pipeline.runs.command import DATA_ROOT, INIT, RunCommand
from pipeline.runs.config import Config
from pipeline.runs.config_loading import load_config
from pipeline.runs.config_record import setting
from pipeline.runs.inputs import BUILT_IN
from pipeline.runs.layout import Paths
from pipeline.runs.origin import present_file

FOLDER, OVERRIDES = "masks.options.folder", "masks.overrides"
FILES = (
    FOLDER, "masks.options.table", "masks.options.weights", "masks.options.mask_weights",
    "masks.options.keypoint_weights", "masks.options.joints", "masks.options.silhouettes", "masks.options.images",
    "masks.keypoint_options.weights", "masks.keypoint_options.folder", "masks.leave_out", OVERRIDES, "danet.init", INIT,
    "eval.segmenter",
)  # fmt: skip


def relocated(command: RunCommand, paths: Paths, default: Callable[[], str]) -> RunCommand:
    """Recorded command with the present places of its files.

    paths: of the run now. default: the configuration of a command that names none, called if needed.
    """
    moves = list(_moves(command, paths))
    if not moves:
        return command
    try:
        config = load_config(command.config or default(), command.overrides)
    except UserError:  # the command that uses it says what is wrong
        return command
    present = {name: _present(text, moves) for name, text in _files(config)}
    return command.adding(tuple(setting(name, path) for name, path in present.items() if path))


def _moves(command: RunCommand, paths: Paths) -> Iterator[tuple[str, str]]:
    """Folders that are elsewhere now: the recorded place and the present one, absolute."""
    pairs = [(command.runs, str(paths.runs))]
    if paths.data_root != Path(DATA_ROOT):
        pairs.insert(0, (command.data_root, str(paths.data_root)))
    if Path(command.dataset).suffix:
        file = paths.dataset if os.path.exists(paths.dataset) else present_file(command.dataset, paths)
        pairs.insert(0, (os.path.dirname(command.dataset), os.path.dirname(file)))
    for recorded, now in pairs:
        if os.path.abspath(recorded) != os.path.abspath(now):
            yield os.path.abspath(recorded), os.path.abspath(now)


def _files(config: Config) -> Iterator[tuple[str, str]]:
    """Options of a configuration that name a file or a folder, with their values."""
    for name in FILES:
        value: object = config
        for part in name.split("."):
            value = value.get(part, "") if isinstance(value, dict) else getattr(value, part)
        if isinstance(value, str) and value not in ("", *BUILT_IN) and _is_path(name, value):
            yield name, value


def _is_path(name: str, text: str) -> bool:
    """Whether the value of an option is a path and no name, such as a shipped class table."""
    return name in (FOLDER, OVERRIDES) or os.sep in text or bool(Path(text).suffix)


def _present(path: str, moves: list[tuple[str, str]]) -> str:
    """Present place of a file; "" where it is the recorded one."""
    for recorded, now in moves:
        below = os.path.relpath(os.path.abspath(path), recorded)
        inside = below.split(os.sep)[0] != os.pardir
        found = os.path.normpath(os.path.join(now, below))
        if (inside or not os.path.exists(path)) and os.path.exists(found):
            return found
    return ""
