"""Curves of a training: means of its losses, rate and val figures, from files as TensorBoard writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from pipeline.evaluation.training_curves import POINTS, read_curves

STEPS, EPOCHS = 100, 4


def write(folder: Path, first: int = 0, last: int = STEPS * EPOCHS, plus: float = 0.0) -> None:
    writer = SummaryWriter(str(folder), purge_step=first)
    for step in range(first, last):
        writer.add_scalar("loss/total", step + plus, step)
        writer.add_scalar("lr", 0.001 * step, step)
        if (step + 1) % STEPS == 0:
            writer.add_scalar("speed/images_per_second", 10, step + 1)
            writer.add_scalar("val/mAP", 0.001 * (step + 1), step + 1)
    writer.close()


def test_curves_are_means_over_epochs(tmp_path: Path) -> None:
    write(tmp_path)
    found = read_curves(tmp_path)
    assert found is not None and found.unit == "epoch"
    assert POINTS / 2 < len(found.x) == len(found.losses["total"]) == len(found.rate) <= POINTS
    assert np.array(found.x) * STEPS == pytest.approx(found.losses["total"], rel=1e-5)
    assert found.rate == pytest.approx(0.001 * np.array(found.losses["total"]), rel=1e-5)
    assert found.validated == [1, 2, 3, 4] and found.val["mAP"] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_steps_after_a_kill_replace_those_before(tmp_path: Path) -> None:
    write(tmp_path, 0, 50, plus=1000)
    write(tmp_path, 30, 60)
    found = read_curves(tmp_path)
    assert found is not None and found.unit == "step" and found.val == {}
    assert found.x == list(range(60))
    assert found.losses["total"] == [*range(1000, 1030), *range(30, 60)]


def test_no_files_and_damaged_ones_leave_no_curves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_curves(tmp_path) is None and read_curves(tmp_path / "nowhere") is None
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"\x18\x00\x00\x00\x00\x00\x00\x00nonsense" * 9)
    assert read_curves(tmp_path) is None
