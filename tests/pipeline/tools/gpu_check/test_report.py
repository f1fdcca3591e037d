"""Table, JSON and page of a check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.tools.gpu_check.outcome import FAIL, NOT_THERE, PASS, Outcome, above, below, judged
from pipeline.tools.gpu_check.plan import ROWS
from pipeline.tools.gpu_check.report import NOT_MEASURED, failed, line, page_text, summary, write_results
from pipeline.tools.gpu_check.runner import RowResult

DEVICE = {"gpu": "NVIDIA T4", "device": "cuda:0", "torch": "2.14.1", "memory_gb": 15.8}
RESULTS = [
    RowResult(ROWS[0], Outcome(PASS, "NVIDIA T4, 16 GB", values=DEVICE), 9.94),
    RowResult(
        ROWS[2], Outcome(FAIL, "loss 12.4 -> 7.1", "3 tensors differ", {"unequal_tensors": 3.0}), 31.0, ("a log",)
    ),
    RowResult(ROWS[9], Outcome(NOT_THERE, reason="labeler densepose needs detectron2 | more"), 2.0),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_results(RESULTS, tmp_path / "gpu" / "t4.json", pretend=False)
    return tmp_path / "gpu" / "t4.json"


def test_a_row_on_the_terminal_shows_verdict_figure_reason_and_log() -> None:
    shown = [line(result) for result in RESULTS]
    assert shown[0].split() == ["pass", "device", "10", "s", "NVIDIA", "T4,", "16", "GB"]
    assert [text.strip() for text in shown[1].splitlines()[1:]] == ["3 tensors differ", "a log"]
    assert shown[2].endswith("labeler densepose needs detectron2 | more") and len(shown[2].splitlines()) == 1
    assert summary(RESULTS) == "3 rows in 43 s: 1 pass, 1 fail, 1 not there"
    assert failed(RESULTS) and not failed([RESULTS[0], RESULTS[2]])


def test_the_file_holds_device_and_rows(file: Path) -> None:
    content = json.loads(file.read_text())
    assert content["device"] == DEVICE and content["pretend"] is False and content["schema_version"] == 1
    assert content["rows"][1] == {
        "name": "training, bf16",
        "what": ROWS[2].what,
        "verdict": "fail",
        "figure": "loss 12.4 -> 7.1",
        "reason": "3 tensors differ",
        "seconds": 31.0,
        "values": {"unequal_tensors": 3.0},
        "log": ["a log"],
    }


def test_a_page_has_a_table_of_every_file_or_says_that_there_is_none(file: Path, tmp_path: Path) -> None:
    text = page_text(file.parent)
    assert text.startswith("**NVIDIA T4**, torch 2.14.1, program ") and "43 s in all" in text
    assert "| training, bf16 | fail | loss 12.4 -> 7.1: 3 tensors differ | 31 |" in text
    assert "| labels, DensePose | not there | labeler densepose needs detectron2 \\| more | 2 |" in text
    (file.parent / "b.json").write_text(file.read_text())
    assert page_text(file.parent).count("NVIDIA T4**") == 2
    assert page_text(tmp_path / "nothing") == NOT_MEASURED


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"pretend": True}, "only pretended to have a GPU"),
        ({"schema_version": 2}, "have the version 2"),
        ({"rows": [{}]}, "holds no results of a check"),
    ],
)
def test_a_page_takes_results_of_a_gpu_only(file: Path, change: dict[str, object], wrong: str) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UserError, match=wrong):
        page_text(file.parent)


def test_what_misses_its_bound_fails_and_a_number_that_is_none_misses_every_bound() -> None:
    assert above("loss", 1.0, 2.0) == below("cosine", 0.5, 0.5) == []
    assert above("loss", 3.0, 2.0, " %") == ["loss: 3 %, at most 2 %"]
    assert below("cosine", float("nan"), 0.5) == ["cosine: nan, at least 0.5"] and above("loss", float("nan"), 2.0)
    assert judged("figure", {}, []).verdict == PASS
    assert judged("figure", {}, ["a", "b"]) == Outcome(FAIL, "figure", "a; b", {})
