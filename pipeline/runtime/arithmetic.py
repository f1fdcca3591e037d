"""Arithmetic of a network on this machine: its precision, and why.

Reads /proc/cpuinfo and environment variables. Torch is asked on systems without that file, and about GPUs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

INT8 = "int8"  # precision of a quantised network, which has its own way of being computed
CPU_INFO = Path("/proc/cpuinfo")
FLAGS = re.compile(r"^(?:flags|Features)\s*:(.*)$", re.MULTILINE)  # of x86, of Arm
BF16_UNITS = ("amx_bf16", "avx512_bf16", "bf16")  # the first ones are faster; the last one is Arm's
INT8_UNITS = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")  # the last two are Arm's
# Of oneDNN, which computes the convolutions: instructions that it must not go beyond, and so the units that it uses.
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # the first one counts
WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
WITHOUT_AMX = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX10_1_512", "AVX10_2_512")
NARROW = 32  # pixels
NO_UNIT = "no unit for bf16"
SLOW = "slower than fp32, and its gradients a hundred times slower; auto is the fastest"  # of fp16 on a CPU


def bf16_unit() -> str | None:
    """Unit of the CPU that computes bf16, None without one.

    oneDNN's own check is also true where bf16 is emulated: on every CPU with AVX-512. There bf16 takes about twice the
    time of fp32. ONEDNN_MAX_CPU_ISA may forbid a unit that is there.
    """
    limit = _limit()[1].upper()
    if limit in WITHOUT_BF16:
        return None
    forbidden = ("amx_bf16",) if limit in WITHOUT_AMX else ()
    there = _units()
    return next((unit for unit in BF16_UNITS if unit in there and unit not in forbidden), None)


def pick_precision(name: str, device: torch.device) -> str:
    """Precision of a name; "auto" is the fastest that the device computes.

    "auto" is bf16 where the hardware computes it, else fp16 on a GPU and fp32 on a CPU.
    """
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if gpu_computes_bf16(device) else "fp16"
    return "bf16" if bf16_unit() else "fp32"


def uses_amx(precision: str, device: torch.device) -> bool:
    """Whether a precision is computed by AMX."""
    return precision == "bf16" and device.type == "cpu" and bf16_unit() == "amx_bf16"


def training_precision(name: str, device: torch.device, width: int) -> str:
    """Precision in which a network learns from images of a width.

    As `pick_precision`, but fp32 in place of bf16 for images of fewer than NARROW columns on a CPU with AMX: there the
    gradients of narrow maps may be nan (findings/amx_nan_of_narrow_maps.sh shows it of results).
    """
    precision = pick_precision(name, device)
    return "fp32" if precision == "bf16" and _too_narrow(device, width) else precision


def _too_narrow(device: torch.device, width: int) -> bool:
    return width < NARROW and uses_amx("bf16", device)


def described(precision: str, device: torch.device, width: int = NARROW) -> str:
    """Precision and device in words, with what the device has for bf16.

    "bf16 on cpu (unit for bf16: avx512_bf16)", "fp32 on cpu (no unit for bf16)", "bf16 on cuda". A precision that the
    user chose and the device emulates is told in the same way; fp16 on a CPU is told to be slow
    (findings/fp16_weight_gradient_on_cpu.sh). width: of the images that a network learns from.
    """
    shown = f"{precision} on {device}"
    if precision == INT8:
        return f"{shown} ({int8_text()})"
    if device.type == "cpu" and precision == "fp16":
        return f"{shown} ({SLOW})"
    if _too_narrow(device, width) and precision == "fp32":
        return f"{shown} ({cpu_text()}, not used for images of fewer than {NARROW} columns)"
    if device.type == "cpu":
        return f"{shown} ({cpu_text()})"
    return f"{shown} ({NO_UNIT})" if precision == "bf16" and not gpu_computes_bf16(device) else shown


def cpu_text() -> str:
    """Unit for bf16 in words, or what forbids it."""
    unit = bf16_unit()
    variable, limit = _limit()
    if unit is None:
        by = f", by {variable}={limit}" if limit.upper() in WITHOUT_BF16 and _units() else ""
        return f"{NO_UNIT}{by}"
    return f"unit for bf16: {unit}"


def int8_text() -> str:
    """Unit for int8 in words.

    Without one it is computed as well, in more time.
    """
    unit = next((unit for unit in INT8_UNITS if unit in cpu_flags()), None)
    return f"unit for int8: {unit}" if unit else "no unit for int8"


def cpu_flags() -> frozenset[str]:
    """Instruction sets of the first core, as the kernel names them.

    None on a system without /proc/cpuinfo.
    """
    try:
        flags = FLAGS.search(CPU_INFO.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return frozenset()
    return frozenset(flags[1].split()) if flags else frozenset()


def _limit() -> tuple[str, str]:
    """Variable that limits oneDNN and its value, which is "" without a limit."""
    return next(((name, os.environ[name]) for name in LIMITS if os.environ.get(name)), (LIMITS[0], ""))


def _units() -> frozenset[str]:
    """Units for bf16 that the CPU has, whether they may be used or not."""
    return (cpu_flags() or frozenset(_units_of_torch())) & set(BF16_UNITS)


def _units_of_torch() -> list[str]:
    """The same as torch sees them: on macOS and Windows, whose torch may come without oneDNN."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return []
    if hasattr(torch.cpu, "get_capabilities"):
        return [unit for unit, there in torch.cpu.get_capabilities().items() if there]
    return ["avx512_bf16"] if torch.cpu._is_avx512_bf16_supported() else []


def gpu_computes_bf16(device: torch.device) -> bool:
    """Whether a GPU has units for bf16."""
    import torch

    with torch.cuda.device(device):  # the question is about the current one
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
