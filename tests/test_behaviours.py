"""The table of what libraries do: every row is whole, and every module and test in it exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "behaviours.md"
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| seen in"))
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:40])
def test_a_row_names_modules_and_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 4 and all(row), row
    guards, tests = (re.findall(r"`([^`]+)`", cell) for cell in row[2:])
    assert guards and tests
    for guard in guards:
        assert (ROOT / guard).is_file(), guard
    for test in tests:
        file, _, name = test.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), test
    for script in re.findall(r"`(findings/[^`]+)`", row[1]):
        assert (ROOT / script).is_file(), script


def test_the_page_has_rows_of_every_kind() -> None:
    assert len(ROWS) > 40
