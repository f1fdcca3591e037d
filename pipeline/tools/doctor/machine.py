"""What the machine has, whatever Python sees of it: memory, graphics cards, a CUDA compiler. Reads what they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")


def memory_bytes() -> int:
    """Of the machine, or of the container where that is less."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(memory, int(text)) if text.isdigit() else memory


def shared_memory_bytes() -> int | None:
    """Free for what processes hand each other (batches on their way from the workers); None where it has no limit."""
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None


@dataclass(frozen=True)
class Cards:
    """What the driver says. names: of the cards. cuda: the newest CUDA it can run, "" if it does not tell."""

    names: tuple[str, ...] = ()
    cuda: str = ""


def graphics_cards() -> Cards:
    """As nvidia-smi sees them; none where there is no driver."""
    names = _said("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    if not names:
        return Cards()
    version = re.search(r"CUDA Version: ([\d.]+)", _said("nvidia-smi"))
    return Cards(tuple(names.strip().splitlines()), version[1] if version else "")


def toolkit_version() -> str:
    """Of the CUDA compiler with which extensions are built, "" where there is none."""
    home = os.environ.get("CUDA_HOME")
    release = re.search(r"release ([\d.]+)", _said(f"{home}/bin/nvcc" if home else "nvcc", "--version"))
    return release[1] if release else ""


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
