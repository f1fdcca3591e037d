"""Devices by their names, on a machine that pretends to have GPUs."""

from __future__ import annotations

import pytest
import torch

from pipeline.errors import UserError
from pipeline.runtime.device import pick_device


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, and PyTorch's own choice of digits."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


def process(monkeypatch: pytest.MonkeyPatch, number: int, world: int) -> None:
    for name, value in {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize("name", ["auto", "cuda"])
@pytest.mark.parametrize(("number", "expected"), [(0, 0), (1, 1), (2, 0)])
def test_every_process_has_a_gpu_with_its_number(
    gpus: None, monkeypatch: pytest.MonkeyPatch, name: str, number: int, expected: int
) -> None:
    process(monkeypatch, number, 3)
    device = pick_device(name)
    assert device == torch.device("cuda", expected)
    torch.cuda._utils._get_device_index(device)  # as torch.cuda.set_device asks; without a number it raises


def test_a_named_gpu_is_taken_and_one_beyond_the_last_is_refused(gpus: None) -> None:
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match="device 'cuda:2' cannot be used: the last GPU of this machine is cuda:1"):
        pick_device("cuda:2")


def test_fp32_means_fp32_on_a_gpu_and_a_cpu_changes_nothing(gpus: None) -> None:
    assert pick_device("cpu") == torch.device("cpu") and torch.backends.cudnn.allow_tf32
    pick_device("auto")
    assert not torch.backends.cudnn.allow_tf32


def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    for name in ("cuda", "cuda:1", "abacus"):
        with pytest.raises(UserError, match=f"device '{name}' cannot be used"):
            pick_device(name)
