"""Batches of a check are compared with the shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import eval_runs
import numpy as np
import pytest

from pipeline.tools.gpu_check import batches
from pipeline.tools.gpu_check.outcome import FAIL, PASS
from pipeline.tools.gpu_check.setting import CheckSetting
from sorn.batch import Batch


@pytest.fixture
def setting(tmp_path: Path) -> CheckSetting:
    found = CheckSetting(tmp_path, "cpu", pretend=True)
    people = [(pid, camera) for pid in (1, 2, 3) for camera in (1, 2, 3)]
    eval_runs.write_shards(found.paths(), {"train": eval_runs.images("train", people)})
    return found


def test_every_batch_of_every_pass_arrives_as_it_was_read(setting: CheckSetting) -> None:
    found = batches.pinned(setting)
    assert found.verdict == PASS, found.reason
    assert found.figure.startswith("6 batches as read") and found.values["pinned_images_per_second"] > 0  # type: ignore[operator]


def test_a_batch_that_arrives_changed_is_found(setting: CheckSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Batch] = []

    def to(batch: Batch, *_: Any, **__: Any) -> Batch:
        sent.append(batch)
        if len(sent) == 3:
            sent[0].mask[0, 0, 0] += 1  # as if its memory had been lent again too early
        return batch

    monkeypatch.setattr(Batch, "to", to)
    found = batches.pinned(setting)
    assert (found.verdict, found.reason) == (FAIL, "1 tensors arrived changed, first of mask")


def test_a_pass_holds_every_picture_once() -> None:
    orders = batches.orders(9, 4, 2)
    assert [len(one) for one in orders] == [4, 4, 1, 4, 4, 1]
    assert sorted(np.concatenate(orders[:3])) == sorted(np.concatenate(orders[3:])) == list(range(9))
