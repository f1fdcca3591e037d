"""Row `device`: what the check runs on."""

from __future__ import annotations

import os
import platform

import torch

from pipeline.runtime.arithmetic import pick_precision
from pipeline.runtime.device import pick_device
from pipeline.tools.doctor.machine import graphics_cards
from pipeline.tools.gpu_check.outcome import FAIL, PASS, Outcome
from pipeline.tools.gpu_check.setting import CheckSetting

NO_GPU = "PyTorch sees no GPU"


def look(setting: CheckSetting) -> Outcome:
    """Name, memory and software of the device.

    A CPU fails, unless the check only pretends.
    """
    device = pick_device(setting.device)
    values: dict[str, float | str] = {
        "device": str(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": platform.processor() or platform.machine(),
        "cores": float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0),
        "precision": pick_precision("auto", device),
    }
    if device.type != "cuda":
        figure = f"the CPU, torch {torch.__version__}"
        return Outcome(PASS if setting.pretend else FAIL, figure, "" if setting.pretend else NO_GPU, values)
    card = torch.cuda.get_device_properties(device)
    values |= {
        "gpu": card.name,
        "memory_gb": card.total_memory / 1e9,
        "cuda": torch.version.cuda or "",
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "driver": "; ".join(graphics_cards().names),
    }
    figure = f"{card.name}, {card.total_memory / 1e9:.0f} GB, torch {torch.__version__}, CUDA {torch.version.cuda}"
    return Outcome(PASS, figure, "", values)
