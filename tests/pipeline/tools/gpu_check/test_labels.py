"""Labels of a check are compared alone, in batches and with the CPU's."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.tools.gpu_check import labels
from pipeline.tools.gpu_check.outcome import FAIL, NOT_THERE, PASS
from pipeline.tools.gpu_check.setting import CheckSetting

Images = list[np.ndarray]


@pytest.fixture
def setting(tmp_path: Path) -> CheckSetting:
    return CheckSetting(tmp_path, "gpu", pretend=True)


def masks(wrong: int = 0) -> Images:
    """Ten masks of 100 pixels and two classes; so many pixels of each are another class."""
    mask = np.repeat(np.array([[1] * 5 + [2] * 5], np.uint8), 10, axis=0)
    mask.flat[:wrong] = 3
    return [mask] * 10


@pytest.mark.parametrize(
    ("wrong_pixels", "reasons"),
    [
        ({}, []),
        ({("gpu", "auto", 1): 2, ("gpu", "auto", 32): 2}, []),
        ({("gpu", "fp32", 1): 1, ("gpu", "fp32", 32): 1}, ["pixels as the CPU's, fp32: 99 %, at least 99.5 %"]),
        ({("gpu", "auto", 1): 2}, ["pixels as alone, auto: 98 %, at least 99 %"]),
        (
            {("gpu", "auto", 1): 9, ("gpu", "auto", 32): 9},
            ["pixels as the CPU's, auto: 91 %, at least 97 %"],
        ),
    ],
)
def test_labels_are_judged(
    setting: CheckSetting,
    monkeypatch: pytest.MonkeyPatch,
    wrong_pixels: dict[tuple[str, str, int], int],
    reasons: list[str],
) -> None:
    asked = []

    def labelled(_: Any, labeler: str, options: Mapping[str, Any], device: str, images: Images) -> tuple[Images, float]:
        assert labeler == "any" and options["weights"] == "w" and len(images) == 10
        asked.append((device, options["precision"], options["batch"]))
        return masks(wrong_pixels.get(asked[-1], 0)), 50.0

    monkeypatch.setattr(labels, "labelled", labelled)
    found = labels.compared(setting, "any", {"weights": "w"}, 10)
    assert asked == [("cpu", "fp32", 1), *(("gpu", p, b) for p in ("fp32", "auto") for b in (1, 32))]
    assert found.verdict == (FAIL if reasons else PASS) and found.reason == "; ".join(reasons)
    assert found.values["classes"] == 2 and found.values["rate_auto"] == 50


def test_labels_of_one_class_compare_nothing(setting: CheckSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "labelled", lambda *_: ([np.zeros((4, 4), np.uint8)], 1.0))
    assert "they compare nothing" in labels.compared(setting, "any", {}, 1).reason


def test_densepose_is_not_there_without_detectron2(setting: CheckSetting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    monkeypatch.setitem(sys.modules, "densepose", None)
    found = labels.densepose(setting)
    assert found.verdict == NOT_THERE and "labeler densepose needs detectron2" in found.reason
