"""docs/python.ipynb: its cells run, in order, and say nothing that was not asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "python.ipynb"


def cells() -> list[str]:
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in found if cell["cell_type"] == "code"
    )
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]


def test_its_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for source in cells():
        exec(compile(source, NOTEBOOK.name, "exec"), names)
    said = capsys.readouterr()
    assert (tmp_path / "runs/own-none/eval/report.html").is_file()
    assert "own.csv: 72 pictures of 12 persons" in said.out and "global+local" in said.out
    assert "train: epoch" not in said.out + said.err and "images/s" not in said.err  # quiet
    run = names["run"]
    assert {state.stage: state.reasons for state in run.status()} == {  # type: ignore[attr-defined]
        stage: [] for stage in ("data", "masks", "train", "eval")
    }
