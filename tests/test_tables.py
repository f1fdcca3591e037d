"""docs/tables.md: every row of the paper's tables loads, and gives the row of the report that it points to."""

import re
from pathlib import Path

import pytest

from pipeline.config_files import load_config, presets

TEXT = (Path(__file__).parents[1] / "docs" / "tables.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| (I|II|III|IV) \|", line)
]


def load(row: list[str]):
    return load_config(row[2].strip("`"), tuple(re.findall(r"`([^`]+)`", row[3])))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_loads_and_is_in_the_report(row):
    config = load(row)
    model, report = config.model, row[4].strip("`")
    variants = {"global"} if model.global_branch else set()
    variants |= {"global+local", "sorn"} if model.local_branch else set()
    assert report in variants
    if report == "sorn":  # somebody must pick the stripes
        assert model.semantic_branch or config.eval.visibility != "network"


def test_the_rows_are_the_papers():
    counts = [sum(row[0] == table for row in ROWS) for table in ("I", "II", "III", "IV")]
    assert counts == [3, 6, 16, 2]
    assert len({(row[0], row[1]) for row in ROWS}) == len(ROWS)
    three = {row[1]: load(row) for row in ROWS if row[0] == "III"}
    pickers = {"S": "segmenter", "P": "pose"}
    for name, config in three.items():
        assert config.model.semantic_branch == (not name.startswith("w/o semantic"))
        assert config.model.labels == (int(name[0]) if name[0].isdigit() else 8)
        assert config.loss.label_smoothing == (0 if name.endswith("w/o LS") else 0.1)
        assert config.eval.visibility == pickers.get(name.partition("+Local Features+")[2], "network")
    assert all(load(row).loss.spc_weight == (0 if "w/o SPC" in row[1] else 0.5) for row in ROWS if row[0] == "II")


def test_commands_name_options_and_presets_that_there_are():
    for line in re.findall(r"^    (make .*)", TEXT.replace("\\\n", " "), re.MULTILINE):
        words = tuple(re.findall(r"--set (\S+?=[^\s\"]+)", line))
        (name,) = re.findall(r"CONFIG=(\S+)", line)
        if name != "<CONFIG>":
            assert name in presets()
            load_config(name, words)
    for option in re.findall(r"`((?:model|loss|eval|masks)\.\w+)`", TEXT):
        section, field = option.split(".")
        assert hasattr(getattr(load_config("paper"), section), field), option
