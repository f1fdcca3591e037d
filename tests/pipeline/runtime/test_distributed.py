"""Backends of the process group, on a machine that pretends to have GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.runtime import distributed

NCCL = "cpu:gloo,cuda:nccl"
ROOT = Path(__file__).parents[3]
PROCESSES = """
import os
from pipeline.runtime import distributed

def of_gloo():
    names = [open(f"/proc/self/task/{thread}/comm").read() for thread in os.listdir("/proc/self/task")]
    return sum("gloo" in name for name in names)

distributed.join()
distributed.meet()
import torch._dynamo  # as torchvision does, for which a network asks
during = of_gloo()
distributed.leave()
if distributed.here().number == 0:
    print("threads of gloo:", during, of_gloo())
"""


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


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="no /proc here")
def test_the_threads_of_a_group_end_with_it(tmp_path: Path) -> None:
    """Otherwise the process now and then aborts at its end."""
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    during, after = map(int, done.stdout.rpartition("threads of gloo:")[2].split())
    assert during > 0 and after == 0, done.stderr
