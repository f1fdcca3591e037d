"""bf16 is chosen where the CPU computes it, not where it is emulated."""

from __future__ import annotations

import platform

import pytest
import torch

from sorn.cpu_features import computes_bf16
from sorn.engine import pick_precision

AVX512 = {"avx512_f": True, "avx512_vnni": True}


@pytest.mark.parametrize(
    ("units", "precision"),
    [
        (AVX512, "fp32"),
        (AVX512 | {"avx512_bf16": False, "amx_bf16": False}, "fp32"),
        (AVX512 | {"avx512_bf16": True}, "bf16"),
        (AVX512 | {"amx_bf16": True}, "bf16"),
        ({"avx2": True}, "fp32"),
    ],
)
def test_auto_on_x86(monkeypatch: pytest.MonkeyPatch, units: dict[str, bool], precision: str) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)
    assert computes_bf16() == (precision == "bf16")
    assert pick_precision("auto", torch.device("cpu")) == precision
    assert pick_precision("bf16", torch.device("cpu")) == "bf16"


def test_before_torch_knew_its_capabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for supported in (False, True):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda supported=supported: supported)
        assert computes_bf16() == supported
