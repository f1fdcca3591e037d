"""Backends of the process group, on a machine that pretends to have GPUs."""

from __future__ import annotations

import pytest
import torch

from pipeline.runtime import distributed

NCCL = "cpu:gloo,cuda:nccl"


@pytest.mark.parametrize(
    ("device", "gpus", "processes", "expected"),
    [
        ("auto", 2, 2, NCCL),
        ("cuda", 4, 2, NCCL),
        ("auto", 1, 2, "gloo"),  # NCCL refuses two processes on one GPU
        ("cuda", 2, 4, "gloo"),
        ("cuda:1", 2, 2, "gloo"),  # all processes on the GPU that is named
        ("cpu", 2, 2, "gloo"),
        ("auto", 0, 2, "gloo"),
    ],
)
def test_gradients_go_over_nccl_only_where_every_process_has_a_gpu(
    monkeypatch: pytest.MonkeyPatch, device: str, gpus: int, processes: int, expected: str
) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, str(processes))
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    asked: list[str] = []
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backends, timeout: asked.append(backends))
    distributed.join(device)
    assert asked == [expected]
    assert chosen == ([1 % gpus] if gpus and device in ("auto", "cuda") else [])
