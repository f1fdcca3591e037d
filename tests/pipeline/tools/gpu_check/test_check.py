"""A whole check, as the command runs it; where it needs minutes, behind the slow mark."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.errors import UserError
from pipeline.tools.gpu_check.check import check_gpu, chosen_rows
from pipeline.tools.gpu_check.outcome import NOT_THERE, PASS
from pipeline.tools.gpu_check.plan import MINUTES, ROWS


def test_a_machine_without_a_gpu_is_told_so(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="device 'auto' cannot be checked: PyTorch sees no GPU"):
        check_gpu(tmp_path / "out.json", lambda text: None, only=["speed"])
    assert not (tmp_path / "out.json").exists()


def test_rows_are_chosen_by_name_with_those_they_need() -> None:
    assert chosen_rows([]) == list(ROWS)
    assert [row.name for row in chosen_rows(["speed"])] == ["device", "reference", "speed"]
    with pytest.raises(UserError, match="'sped' is no row of the check"):
        chosen_rows(["sped"])


def test_all_rows_can_begin_within_the_time_if_each_takes_half_of_what_it_may() -> None:
    assert sum(row.seconds for row in ROWS) / 2 <= 60 * MINUTES
    assert all(row.seconds / 3 <= 60 for row in ROWS)


@pytest.mark.slow
def test_a_check_that_pretends_passes_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out = tmp_path / "out.json"
    done = CliRunner().invoke(main, ["gpu-check", "--pretend", "--out", str(out)])
    assert done.exit_code == 0, done.output
    content = json.loads(out.read_text())
    verdicts = {row["name"]: row["verdict"] for row in content["rows"]}
    assert list(verdicts) == [row.name for row in ROWS] and content["pretend"] is True
    absent = {name for name, verdict in verdicts.items() if verdict == NOT_THERE}
    assert absent <= {"labels, DensePose", "torch.compile"}
    assert {verdict for name, verdict in verdicts.items() if name not in absent} == {PASS}
    figures = {row["name"]: row["values"] for row in content["rows"]}
    assert figures["training, bf16"]["unequal_tensors"] == figures["training, fp16"]["unequal_tensors"] == 0
    assert figures["labels, DANet"]["classes"] > 1
    assert not [name for name in os.listdir(tmp_path) if name != "out.json"]
