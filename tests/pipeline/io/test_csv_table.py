"""Tables as editors, spreadsheets and programs write them: all the same rows."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.io.csv_table import read_table, whole

PLAIN = "name,x\nü 1,2\nb,3\n"
ROWS = [{"name": "ü 1", "x": "2"}, {"name": "b", "x": "3"}]


def rows(folder: Path, text: str | bytes) -> list[dict[str, str]]:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [row for _, row in read_table(path, ("name", "x"), "Write name,x in UTF-8.")]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.rstrip("\n"),
        PLAIN + "\n  \n,\n",
        "\n\n" + PLAIN.replace("\nb", "\n\nb"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        " NAME , X \n ü 1 , 2\t\n  b,\u00a03 \n",
        '"name","x"\n"ü 1","2"\n"b","3"\n',
        '"name" , "x"\n"ü 1" , "2" \n "b", "3"\n',
        "note,x,name\nn,2,ü 1\n,3,b\n",
        "name,x,\nü 1,2,\nb,3,,\n",
        "name,x,note\nü 1,2\nb,3,n\n",
    ],
)
def test_one_table_in_many_spellings(tmp_path: Path, text: str | bytes) -> None:
    assert rows(tmp_path, text) == ROWS


def test_quotes_keep_delimiters_and_lines(tmp_path: Path) -> None:
    assert rows(tmp_path, 'name,x\n"a, ""b"" ;\nc",1\n') == [{"name": 'a, "b" ;\nc', "x": "1"}]
    assert rows(tmp_path, "name;x\na,b;1\n") == [{"name": "a,b", "x": "1"}]


@pytest.mark.parametrize("before", ["", "\n", "sep=,\n"])
def test_lines_are_numbered_as_editors_number_them(tmp_path: Path, before: str) -> None:
    (tmp_path / "table.csv").write_text(f"{before}name,x\n\na,1\n")
    (row,) = read_table(tmp_path / "table.csv", ("name", "x"), "Write name,x in UTF-8.")
    assert row == (3 + bool(before), {"name": "a", "x": "1"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table\.csv has no column name, x; it has none\. Write name,x in UTF-8"),
        ("name;y\n", r"has no column x; it has name, y"),
        ("name,x,X\na,1,2\n", r"has the column x twice\. Rename or remove one of them"),
        ("name,x\na\n", r"line 2: 1 values for 2 columns"),
        ('name,x\n"a,1\n', r"table\.csv is not a CSV"),
        (b"\xff,x\n", r"table\.csv is not a CSV"),
        (codecs.BOM_UTF16_LE + b"a", r"table\.csv is not a CSV"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rows(tmp_path, text)


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a CSV"):
        read_table(tmp_path, ("name",), "Give the path of a file.")


def test_whole_numbers_lose_their_decimals() -> None:
    given = ("1.0", "-1.00", "7.", "0012.0", "1.5", "a.0", "1e3", "١.0")
    assert [whole(text) for text in given] == ["1", "-1", "7", "0012", "1.5", "a.0", "1e3", "١.0"]
