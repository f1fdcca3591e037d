"""The command of a run reads back as the same words, through make and a shell."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline.runs import stamp
from pipeline.runs.command import RunCommand, assigned

PLAIN = RunCommand("market1501", "danet")


@pytest.mark.parametrize(
    ("command", "stage", "line"),
    [
        (PLAIN, "data", "make data DATASET=market1501"),
        (PLAIN, "masks", "make masks DATASET=market1501 LABELER=danet"),
        (
            dataclasses.replace(PLAIN, trained_on="synped-danet", experiment="six", runs="out"),
            "eval",
            "make eval DATASET=market1501 LABELER=danet TRAINED_ON=synped-danet EXPERIMENT=six RUNS=out",
        ),
        (
            dataclasses.replace(PLAIN, config="demo", init="none", trained_on="x-none", experiment="six"),
            "labeler",
            "make labeler DATASET=market1501 CONFIG=demo INIT=none",
        ),
    ],
)
def test_a_line_names_what_the_stage_needs_and_is_not_usual(command: RunCommand, stage: str, line: str) -> None:
    assert command.make(stage) == line


AWKWARD = ["my data/own.csv", "it's $HOME", 'say "so"', "tau=[0.1, 0.2]", "back\\slash", "#hash", "a;b|c"]


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_reaches_a_recipe_as_it_is(tmp_path: Path, value: str) -> None:
    """As the shell splits the line, and make expands what it holds."""
    (tmp_path / "Makefile").write_text("export VALUE\nall:\n\t@printenv VALUE\n")
    line = f"make --no-print-directory -C {shlex.quote(str(tmp_path))} {assigned('VALUE', value)}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == value + "\n"


@pytest.mark.parametrize("value", AWKWARD)
def test_options_read_back_as_the_same_words(value: str) -> None:
    command = dataclasses.replace(PLAIN, set=("eval.tau=0.2", f"masks.options.folder={value}"))
    assert shlex.split(command.arguments) == ["--set", "eval.tau=0.2", "--set", f"masks.options.folder={value}"]


def test_the_stamp_keeps_the_command_outside_of_the_fingerprint(tmp_path: Path) -> None:
    command = dataclasses.replace(PLAIN, set=("eval.tau=0.2",), config="mine.toml", config_text="[eval]\n")
    stamp.write(tmp_path, "eval", 4, {}, {"tau": 0.2}, [], {}, command)
    made = stamp.read(tmp_path)
    assert made is not None and made.command == command
    stamp.write(tmp_path, "eval", 4, {}, {"tau": 0.2}, [], {})
    without = stamp.read(tmp_path)
    assert without is not None and without.command is None and without.fingerprint == made.fingerprint


def test_a_stamp_of_an_older_build_is_read_and_fresh(tmp_path: Path) -> None:
    stamp.write(tmp_path, "eval", 4, {}, {}, [], {})
    record = json.loads((tmp_path / "stamp.json").read_text())
    del record["command"]
    (tmp_path / "stamp.json").write_text(json.dumps(record))
    assert stamp.why_stale(tmp_path, "eval", 4, {}, {}) == []


@pytest.mark.parametrize("command", ['"make"', '{"dataset": 3, "labeler": "x"}', '{"labeler": "x"}', '{"x": 1}', "[]"])
def test_a_damaged_command_is_a_damaged_stamp(tmp_path: Path, command: str) -> None:
    stamp.write(tmp_path, "eval", 4, {}, {}, [], {})
    record = json.loads((tmp_path / "stamp.json").read_text())
    record["command"] = json.loads(command)
    (tmp_path / "stamp.json").write_text(json.dumps(record))
    with pytest.raises(stamp.UserError, match="is not a stamp"):
        stamp.read(tmp_path)
