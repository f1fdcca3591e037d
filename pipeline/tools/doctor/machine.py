"""Memory, graphics cards and CUDA compiler of the machine.

Read from the system and its tools, without any library.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")


def memory_bytes() -> int:
    """Memory of the machine or, if less, of the container, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(memory, int(text)) if text.isdigit() else memory


def shared_memory_bytes() -> int | None:
    """Free shared memory, in bytes; None if it has no limit.

    Workers pass batches to the main process in it.
    """
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None


@dataclass(frozen=True)
class Cards:
    """Graphics cards as the driver lists them.

    names: of the cards. cuda: newest CUDA version that the driver supports, "" if unknown.
    """

    names: tuple[str, ...] = ()
    cuda: str = ""


def graphics_cards() -> Cards:
    """Graphics cards as nvidia-smi lists them; none without a driver."""
    names = _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    if not names:
        return Cards()
    version = re.search(r"CUDA Version: ([\d.]+)", _output("nvidia-smi"))
    return Cards(tuple(names.strip().splitlines()), version[1] if version else "")


def toolkit_version() -> str:
    """Version of the CUDA compiler for extensions, "" without one."""
    home = os.environ.get("CUDA_HOME")
    release = re.search(r"release ([\d.]+)", _output(f"{home}/bin/nvcc" if home else "nvcc", "--version"))
    return release[1] if release else ""


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
