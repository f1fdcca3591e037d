"""What is typed after --set, against the type of every option."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.io.build import fields_of
from pipeline.runs.command import RunCommand
from pipeline.runs.config import SECTIONS
from pipeline.runs.config_loading import load_config
from pipeline.runs.override_value import override_value

ODD = (
    *(
        "2024-01-01",
        "2024-01-01T10:00:00",
        "10:00:00",
        "007",
        "1e5",
        "0x10",
        "+1",
        "1_000",
        "1,000",
        "inf",
        "-nan",
        "nan",
    ),
    *(
        "true",
        "True",
        "FALSE",
        "yes",
        "1",
        "1.0",
        "-1",
        "[1]",
        "{a = 1}",
        "none",
        "",
        "'a'",
        '"a"',
        "a b",
        "a#b",
        "1 # one",
    ),
    *("1\ny = 2", "9" * 400, "1e999", "[2024-01-01]", "[nan]", "ü", "[", "\\"),
)
OPTIONS = [(f"{section}.{name}", hint) for section, kind in SECTIONS.items() for name, hint in fields_of(kind).items()]
TABLES = [("masks.options.folder", Any), ("masks.keypoint_options.pattern", Any)]


@pytest.mark.parametrize(("option", "hint"), [*OPTIONS, *TABLES])
def test_every_option_takes_its_type_or_refuses_by_name(option: str, hint: Any) -> None:
    section, name = option.split(".", 1)
    for text in ODD:
        try:
            config = load_config("paper", (f"{option}={text}",))
        except UserError as error:
            said = f"{option}={text}"
            assert error.remedy and (option in error.wrong or said.strip() in str(error)), (text, str(error))
            assert "datetime" not in str(error)
            continue
        if "." in name:
            continue
        value = getattr(getattr(config, section), name)
        json.dumps(value, allow_nan=False)
        if hint is str:
            assert value == (text.strip("'\"") if text in ("'a'", '"a"') else text.strip()), text
        elif hint in (bool, int, float):
            assert type(value) is hint


@pytest.mark.parametrize(
    ("hint", "text", "expected"),
    [
        (str, "2024-01-01", "2024-01-01"),
        (str, "007", "007"),
        (str, "1e5", "1e5"),
        (str, "0x10", "0x10"),
        (str, "true", "true"),
        (str, '"quoted # text"', "quoted # text"),
        (str | None, "1_000", "1_000"),
        (bool, "True", True),
        (bool, "FALSE", False),
        (bool, "1", 1),
        (bool | None, "True", True),
        (bool | str, "True", True),
        (bool | str, "either", "either"),
        (bool | str, "1", "1"),
        (int, "0x10", 16),
        (int, "+1_000", 1000),
        (int, "007", "007"),
        (int, "2024-01-01", "2024-01-01"),
        (float, "1e-3", 0.001),
        (tuple[int, ...], "[30, 60]", [30, 60]),
        (Any, "2024-01-01", "2024-01-01"),
        (Any, "lip20", "lip20"),
        (Any, "3", 3),
    ],
)
def test_the_type_decides(hint: Any, text: str, expected: object) -> None:
    found = override_value(hint, text)
    assert found == expected and type(found) is type(expected)


def test_whole_numbers_may_be_written_as_floats() -> None:
    config = load_config("paper", ("schedule.epochs=1e2", "masks.image_size=[256.0, 128.0]"))
    assert config.schedule.epochs == 100 and config.masks.image_size == (256, 128)
    assert type(config.schedule.epochs) is int


def test_dates_in_a_file_are_text_where_anything_is_and_named_where_not(tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "paper"\n[masks.options]\nfolder = 2024-01-01\n')
    assert load_config(str(file)).masks.options == {"folder": "2024-01-01"}
    file.write_text('base = "paper"\n[train]\ninit = 2024-01-01\n')
    with pytest.raises(UserError, match=r'train\.init = 2024-01-01: expected text\. Put it in quotes: .*"2024-01-01"'):
        load_config(str(file))


@pytest.mark.parametrize("init", ["2024-01-01", "007", "é.pth", "😀.pth", 'a "b".pth', "c:\\d.pth"])
def test_init_and_experiment_are_text(init: str) -> None:
    command = RunCommand("mine.csv", "none", init=init, experiment="007")
    assert load_config("paper", command.overrides).train.init == init
    assert "EXPERIMENT=007" in shlex.split(command.make("train"))
