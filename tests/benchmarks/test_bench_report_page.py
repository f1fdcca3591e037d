"""bench_report_page.py: what it says where there is nothing to measure, as in `make bench`."""

from __future__ import annotations

from pathlib import Path

import bench_report_page
import pytest

NOTHING = '{"bench": "report_page", "figures": {}}'


def said(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setattr("sys.argv", ["bench_report_page.py", *words])
    bench_report_page.main()
    return capsys.readouterr().out.splitlines()


def test_without_an_evaluation_it_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_report_page, "BROWSER", "chromium")
    message, line = said([], monkeypatch, capsys)
    assert "no evaluation is named: python benchmarks/bench_report_page.py runs/" in message
    assert line == NOTHING


def test_a_folder_without_a_report_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_report_page, "BROWSER", "chromium")
    (tmp_path / "report.html").write_text("")
    message, line = said([str(tmp_path)], monkeypatch, capsys)
    assert message.startswith(f"{tmp_path} has no report.html with its folder lists/")
    assert line == NOTHING


def test_without_a_browser_it_says_how_to_install_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_report_page, "BROWSER", None)
    assert said([], monkeypatch, capsys) == ["no chromium here: apt-get install chromium", NOTHING]
