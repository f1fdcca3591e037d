"""Comparison of trainings; the trainings themselves run in test_check.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.io import checkpoints
from pipeline.tools.gpu_check.setting import CheckSetting
from pipeline.tools.gpu_check.trainings import REFERENCE, beside_the_cpu, one_device, unequal_tensors

CPU = [10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 4.0]  # losses of two epochs of four steps


@pytest.fixture
def setting(tmp_path: Path) -> CheckSetting:
    found = CheckSetting(tmp_path, "cpu", pretend=True)
    write(found, REFERENCE, CPU)
    return found


def write(setting: CheckSetting, experiment: str, losses: list[float]) -> None:
    lines = ["step,name,value"]
    for step, loss in enumerate(losses):
        lines += [f"{step},loss/total,{loss}", f"{step},loss/seg,1.0"]
    lines.append(f"{len(losses)},speed/images_per_second,50.0")
    table = setting.paths(experiment).scalar_table
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join(lines) + "\n")


def test_a_curve_near_the_cpus_passes(setting: CheckSetting) -> None:
    write(setting, "bf16", [10.04, *CPU[1:4], 6.3, *CPU[5:]])
    wrong, figure, values = beside_the_cpu(setting, setting.paths("bf16"), "bf16")
    assert wrong == [] and values["images_per_second"] == 50
    assert values["first_off_percent"] == pytest.approx(0.4) and values["last_epoch_off_percent"] == pytest.approx(
        100 * 0.3 / 19
    )
    assert figure == "loss 10 -> 4: 0.4 % and 1.6 % off the CPU's; 50 images/s"


@pytest.mark.parametrize(
    ("losses", "precision", "wrong"),
    [
        ([10.1, *CPU[1:]], "fp32", ["first loss: 1 % off, at most 0.05 % off"]),
        ([*CPU[:4], 9.0, 9.0, 9.0, 9.0], "fp32", ["last epoch's loss: 89.5 % off, at most 5 % off"]),
        (CPU[:7], "fp32", ["last epoch's loss: 15.8 % off, at most 5 % off", "7 steps, and the CPU made 8"]),
        ([float("nan"), *CPU[1:]], "fp32", ["first loss: nan % off, at most 0.05 % off"]),
    ],
)
def test_what_is_far_from_the_cpus_curve_is_named(
    setting: CheckSetting, losses: list[float], precision: str, wrong: list[str]
) -> None:
    write(setting, "other", losses)
    assert beside_the_cpu(setting, setting.paths("other"), precision)[0] == wrong


def test_weights_are_compared_bit_for_bit(setting: CheckSetting) -> None:
    one, other = setting.paths("one"), setting.paths("other")
    weights = {"a": torch.ones(2), "b": torch.zeros(3)}
    checkpoints.save_weights(one.checkpoint, weights, {})
    checkpoints.save_weights(other.checkpoint, weights, {})
    assert unequal_tensors(one, other) == []
    changed = {"a": torch.tensor([1.0, 1.0 + 2**-23]), "b": weights["b"], "c": torch.ones(1)}
    checkpoints.save_weights(other.checkpoint, changed, {})
    assert unequal_tensors(one, other) == ["a", "c"]


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("auto", None, ("auto", "0")),
        ("cuda:1", None, ("auto", "1")),
        ("cuda", "3,2", ("auto", "3")),
        ("cuda:1", "3,GPU-abc", ("auto", "GPU-abc")),
        ("cpu", "3", ("cpu", "3")),
    ],
)
def test_two_processes_see_one_gpu(device: str, visible: str | None, expected: tuple[str, str]) -> None:
    given = {"PATH": "/bin"} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    found, environment = one_device(device, given)
    assert (found, environment["CUDA_VISIBLE_DEVICES"]) == expected
    assert environment["OMP_NUM_THREADS"] == "1" and environment["PATH"] == "/bin"
