"""records.csv when it is damaged: the line and the reason are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.datasets.records_file import COLUMNS, read_records
from pipeline.errors import UserError

HEADER = ",".join(COLUMNS) + "\n"
ROW = f"train/{{0}}.png,/d/{{0}}.png,1,1,{{1}},1,1,{'a' * 64},4,8\n"


def refused(path: Path) -> UserError:
    with pytest.raises(UserError) as error:
        read_records(path, "make data")
    assert error.value.remedy == "Run: make data"
    return error.value


@pytest.mark.parametrize(
    "content", [b"\0" * 200_000, b"a" * 200_000, b'"' + b"\n" * 200_000], ids=["nul", "a", "quote"]
)
def test_a_header_that_is_no_csv_is_told_with_its_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_bytes(content)
    assert refused(path).wrong.startswith(f"{path}, line ")


def test_the_first_bad_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text(HEADER + ROW.format(1, "train") + ROW.format(2, "train").replace(",8\n", f",{2**63}\n"))
    assert refused(path).wrong.startswith(f"{path}, line 3: ")
    path.write_text(HEADER + ROW.format(1, "train") * 2 + "train/3.png\n")
    assert refused(path).wrong == f"{path}, line 4: 1 values for 10 columns"


def test_a_file_of_too_many_splits_is_told(tmp_path: Path) -> None:
    path, count = tmp_path / "records.csv", 2**16 + 1
    path.write_text(HEADER + "".join(ROW.format(n, f"s{n}") for n in range(count)))
    assert refused(path).wrong.startswith(f"{path}, line {count + 1}: 's{count - 1}' is one of too many splits")
