"""Stages as calls: names, options and errors of the command line, and results by type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import Run
from pipeline.datasets.summary import DataSummary
from pipeline.errors import UserError


@pytest.fixture
def listed(tmp_path: Path, make_images) -> Path:
    names = [f"{split}{pid}_{camid}.jpg" for split, pids in (("t", "12"), ("q", "3")) for pid in pids for camid in "12"]
    make_images(tmp_path, names)
    rows = ["t1_1.jpg,1,1,train", "t1_2.jpg,1,2,train", "t2_1.jpg,2,1,train", "t2_2.jpg,2,2,train"]
    rows += ["q3_1.jpg,3,1,query", "q3_2.jpg,3,2,gallery"]
    (tmp_path / "mine.csv").write_text("\n".join(["path,pid,camid,split", *rows]))
    return tmp_path / "mine.csv"


def test_a_call_returns_what_the_stage_made_and_is_quiet(
    listed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(str(listed), "none", runs=tmp_path / "runs", data_root=tmp_path)
    summary = run.data()
    assert isinstance(summary, DataSummary) and summary.splits["train"].images == 4
    assert [state.stage for state in run.status()] == ["data", "masks", "train", "eval"]
    assert run.status()[0].reasons == [] and run.status()[2].reasons
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_options_are_those_of_the_command_line(listed: Path, tmp_path: Path) -> None:
    run = Run(str(listed), "none", runs=tmp_path / "runs", options={"train.seed": 3, "model.backbone": "resnet34"})
    assert run._run.config.train.seed == 3 and run._run.config.model.backbone == "resnet34"
    with pytest.raises(UserError, match=r"Did you mean train\.seed\?"):
        Run(str(listed), options={"train.sead": 3})
    with pytest.raises(UserError, match="workers"):
        Run(str(listed), workers=-1)
    with pytest.raises(UserError, match="market1501"):
        Run("markt1501")


def test_a_run_with_the_checkpoint_of_another_has_no_training(listed: Path, tmp_path: Path, shipped: Path) -> None:
    run = Run(str(listed), trained_on="starter", runs=tmp_path / "runs", data_root=tmp_path)
    assert [state.stage for state in run.status()] == ["data", "masks", "eval"]
    report = run.evaluate()
    assert report.metrics["global"].queries == 1 and report.provenance.trained_on == "starter"
    with pytest.raises(UserError, match="has no stage train: its checkpoint is that of starter"):
        run.train()


def test_the_package_is_imported_without_its_calls() -> None:
    code = "import sys, pipeline.errors; sys.exit('pipeline.cli' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(ImportError):
        from pipeline import Nothing  # type: ignore[attr-defined]  # noqa: F401
