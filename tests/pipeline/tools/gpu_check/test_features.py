"""Matching of a check finds similarities that are wrong, and extraction features that are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.tools.gpu_check import features
from pipeline.tools.gpu_check.outcome import FAIL, PASS
from pipeline.tools.gpu_check.setting import CheckSetting
from sorn.matching import similarity_blocks

MakeTraining = Callable[..., Path]


@pytest.fixture
def setting(tmp_path: Path) -> CheckSetting:
    return CheckSetting(tmp_path, "cpu", pretend=True)


def test_similarities_of_one_device_pass(setting: CheckSetting) -> None:
    found = features.matching(setting)
    assert found.verdict == PASS and found.values["farthest"] == found.values["unequal"] == 0
    assert found.values["pairs_per_second"] > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda values: values.__setitem__((2, 5), values[2, 5] + 1e-3), "a similarity is off the CPU's by"),
        (lambda values: values.__iadd__(np.linspace(0, 1e-6, values.shape[1])), "of equal pictures are unequal"),
        (lambda values: values.fill(np.nan), "a similarity is off the CPU's by"),
    ],
)
def test_similarities_of_another_device_are_judged(
    setting: CheckSetting, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None], wrong: str
) -> None:
    def changed(query: Any, gallery: Any, rules: Any, device: Any, block: int) -> Iterator[Any]:
        for rows, similarities in similarity_blocks(query, gallery, rules, "cpu", block):
            if device != "cpu":  # the check asks the CPU by its name, and the device as a torch.device
                for one in similarities:
                    change(one)
            yield rows, similarities

    def by_place(query: Any, gallery: Any, rules: Any, device: Any, block: int) -> Iterator[Any]:
        return changed(query, gallery, rules, device if isinstance(device, str) else "elsewhere", block)

    monkeypatch.setattr(features, "similarity_blocks", by_place)
    found = features.matching(setting)
    assert found.verdict == FAIL and wrong in found.reason


def test_features_are_compared_in_every_precision(
    setting: CheckSetting, make_training: MakeTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_training(setting.paths(features.REFERENCE).folder("train"))
    asked: list[tuple[str, str]] = []
    load = features.load_embedder

    def loaded(training: Path, runs: Path, device: str, precision: str) -> Any:
        asked.append((device, precision))
        return load(training, runs, "cpu", precision)

    monkeypatch.setattr(features, "load_embedder", loaded)
    found = features.extraction(CheckSetting(setting.folder, "gpu", pretend=True))
    assert asked == [("cpu", "fp32"), ("gpu", "fp32"), ("gpu", "fp16"), ("gpu", "bf16")]
    assert found.verdict == PASS, found.reason
    cosines = [found.values[f"least_cosine_{precision}"] for precision in ("bf16", "fp16", "fp32")]
    assert cosines == sorted(cosines) and cosines[0] < 1  # type: ignore[type-var, operator]
    monkeypatch.setattr(features, "COSINE", {"bf16": 1.0})
    assert "cosine with the CPU's in bf16" in features.extraction(setting).reason
