"""Help texts: topics, an example for every command, and examples that parse."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.cli.commands import StageCommand


def walk(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group | StageCommand):
        for name, child in command.commands.items():
            yield from walk(child, (*words, name))


EVERY = list(walk(main))


def help_of(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=120)
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_stand_under_their_topics() -> None:
    text = help_of()
    places = [text.index(title) for title in ("Stages, in order:", "Datasets and labelers:", "Results:", "Tools:")]
    assert places == sorted(places)
    listed = [name for names in main.topics.values() for name in names]
    assert sorted(listed) == sorted(main.commands)
    for name in listed:
        assert f"\n  {name} " in text
    assert "..." not in text.partition("Stages, in order")[2]  # no summary is cut


@pytest.mark.parametrize("words", [words for words, _ in EVERY], ids=" ".join)
def test_every_command_has_an_example(words: tuple[str, ...]) -> None:
    assert "Examples:\n" in help_of(*words)


def test_a_stage_lists_its_further_commands() -> None:
    assert "compare  Compare two labelers" in help_of("masks")
    listed = help_of("data").split("Commands:")[1]
    assert re.search(r"\n  check +Check DATASET", listed) and "prepare" not in listed


@pytest.mark.parametrize("words", [words for words, _ in EVERY], ids=" ".join)
def test_every_example_parses(words: tuple[str, ...]) -> None:
    lines = [line.strip() for line in help_of(*words).partition("Examples:\n")[2].splitlines() if line.strip()]
    assert lines
    for line in lines:
        program, *rest = shlex.split(line)
        assert program == "sorn"
        found = max((known for known, _ in EVERY if tuple(rest[: len(known)]) == known), key=len)
        command = dict(EVERY)[found]
        assert found and isinstance(command, click.Command), line
        context = click.Context(command, info_name=" ".join(found))
        given = command.make_parser(context).parse_args(rest[len(found) :])
        assert not given[1], f"{line}: {given[1]} is left over"


def test_options_are_listed_by_section_or_one_by_one() -> None:
    one = CliRunner().invoke(main, ["options", "model.stripes"]).output
    assert "model.stripes = 3    (a whole number)" in one and "Presets: demo 6, finetune 6, pcb 6, synped 6" in one
    assert "Former name, still understood: model.parts" in one and "model.labels" not in one
    section = CliRunner().invoke(main, ["options", "schedule"]).output
    assert section.startswith("[schedule] ") and "schedule.epochs = 80" in section and "train." not in section
    everything = CliRunner().invoke(main, ["options"]).output
    assert [line[1:].partition("]")[0] for line in everything.splitlines() if line.startswith("[")] == [
        "danet", "masks", "model", "loss", "schedule", "train", "eval",
    ]  # fmt: skip
    wrong = CliRunner().invoke(main, ["options", "train.epochs"])
    assert wrong.exit_code == 1 and "Did you mean schedule.epochs?" in wrong.output
