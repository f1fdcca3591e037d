"""Every remedy can be pasted: targets, variables, commands and options exist, and values are accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pasted
import pytest

from pipeline.errors import UserError

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))


def test_every_command_in_a_text_of_the_program_can_be_pasted() -> None:
    found = []
    for path in MODULES:
        for line, text in pasted.texts(path.read_text(encoding="utf-8")):
            found += [f"{path.relative_to(ROOT)}:{line}: {fault}" for fault in pasted.faults(text)]
    assert found == [], "\n".join(found)


def test_messages_with_commands_are_many() -> None:
    """The search finds them at all."""
    texts = [text for path in MODULES for _, text in pasted.texts(path.read_text(encoding="utf-8"))]
    assert sum(len(list(pasted.commands(text))) for text in texts) > 40
    assert sum(text.count("--set ") for text in texts) > 20


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Run: make eval ARGS='--set eval.tau=0.2; a'; or wait.", ["make eval ARGS='--set eval.tau=0.2; a'"]),
        ("Train it (make labeler DATASET=synped) and give it.", ["make labeler DATASET=synped"]),
        ("`make tables` runs it first; or: make masks X=1, then", ["make tables", "make masks X=1"]),
        ("Make it smaller, or make it new.", []),
        ("Write: sorn datasets. Then make sure of it.", ["sorn datasets"]),
        ("Run: make DATASET=x", []),
        ("Run: sorn nothing. Or make nonsense of it.", ["sorn nothing"]),
    ],
)  # fmt: skip
def test_commands_are_told_from_prose(text: str, lines: list[str]) -> None:
    assert list(pasted.commands(text)) == lines


@pytest.mark.parametrize(
    "text",
    [
        "Run: make lables DATASET=x",
        "Run: make eval DATSET=x",
        "Run: make eval DATASET=x now",
        "Run: make eval DATASET=a b",
        "Run: make eval ARGS='--sett eval.tau=0.3'",
        "Run: make eval ARGS='--set eval.taw=0.3'",
        "Run: make eval ARGS='--set eval.tau=3'",
        "Run: make data ARGS='--set train.epochs'",
        "Run: make help ARGS=--retrain",
        "Run: make eval DATASET=it's",
        "Write: sorn eval --datasets x",
        "Run: sorn nothing",
        "Leave it: --set train.batchsize=3.",
        "Leave it: --set train.last_batch=maybe.",
        "See: sorn export run --format pickle",
    ],
)
def test_what_cannot_be_pasted_is_noticed(text: str) -> None:
    assert pasted.faults(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "Run: make eval DATASET='my data/own.csv' ARGS=\"--set 'masks.image_size=[64,32]' --relabel\" RUNS=out.",
        "Name it: --set masks.options.weights=FILE, or fetch it.",
        "Use it: --set eval.visibility=segmenter --set eval.segmenter=FOLDER, a copy.",
        "Run: make tables DATASET=x SEEDS=3 GRID='--only sorn' ARGS=--retrain; or choose RUNS=.",
        "See: sorn options train.seed",
    ],
)  # fmt: skip
def test_what_can_be_pasted_is_let_through(text: str) -> None:
    assert pasted.faults(text) == []


def test_a_message_that_any_test_reaches_is_looked_at(messages_help: Any) -> None:
    """The fixture of conftest.py reads every remedy."""
    UserError("there is no 'x'", "Run: make eval DATASET=x")
    assert messages_help.faults() == []
    UserError("there is no 'x'", "Run: make eval DATSET=x")
    (fault,) = messages_help.faults()
    assert "cannot be pasted: make eval DATSET=x" in fault
    messages_help.clear()
