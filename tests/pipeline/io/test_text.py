"""JSON and TOML of others: what cannot be taken is a ValueError, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.io import text as io_text
from pipeline.io.text import parse_json, parse_toml, read_json, read_toml


def test_what_is_right_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, "ü", null]}', encoding="utf-8")
    (tmp_path / "a.toml").write_text('a = [1, 2.5, "ü"]', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, "ü", None]}
    assert read_toml(tmp_path / "a.toml") == {"a": [1, 2.5, "ü"]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_of_windows_are_no_content(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_text('{"a": "ü"}', encoding=encoding)
    (tmp_path / "a.toml").write_text('a = "ü"\n', encoding=encoding, newline="\r\n")
    assert read_json(tmp_path / "a.json") == read_toml(tmp_path / "a.toml") == {"a": "ü"}


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "[-Infinity]", "1e999", "{", "", '{"a": 1} x', "9" * 5000])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a =", "a = 1\na = 2", "a = " + "9" * 5000])
def test_toml_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_toml(text)


def test_bytes_that_are_no_text_and_files_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(b'"\xff"')
    with pytest.raises(ValueError, match="utf-8"):
        read_json(tmp_path / "a.json")
    monkeypatch.setattr(io_text, "LARGEST", 2)
    with pytest.raises(ValueError, match="3 bytes are more than"):
        read_json(tmp_path / "a.json")
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "none.toml")
