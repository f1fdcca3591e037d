"""Arithmetic units of the CPU."""

from __future__ import annotations

import platform

import torch

X86 = ("x86_64", "AMD64")


def computes_bf16() -> bool:
    """Whether the CPU has units for bf16.

    torch's own check of oneDNN is also true where bf16 is emulated: on every CPU with AVX-512. There bf16 takes about
    twice the time of fp32.
    """
    if platform.machine() not in X86:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if hasattr(torch.cpu, "get_capabilities"):
        units = torch.cpu.get_capabilities()
        return bool(units.get("avx512_bf16") or units.get("amx_bf16"))
    return bool(torch.cpu._is_avx512_bf16_supported())
