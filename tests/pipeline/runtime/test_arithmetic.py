"""bf16 is chosen where the CPU computes it, not where it is emulated or forbidden."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.runtime import arithmetic
from pipeline.runtime.arithmetic import bf16_unit, cpu_text, described, pick_precision, training_precision

CPU = torch.device("cpu")
AVX512 = "fpu sse sse2 avx avx2 avx512f avx512_vnni"
ARM = "fp asimd evtstrm aes bf16 i8mm"


@pytest.fixture(autouse=True)
def no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in arithmetic.LIMITS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Function that gives this machine a CPU with these flags; `line` as the kernel of x86 or Arm calls them."""

    def given(flags: str, line: str = "flags\t\t") -> None:
        path = tmp_path / "cpuinfo"
        one = f"processor\t: 0\nmodel name\t: avx512_bf16 in a name\n{line}: {flags}\nbugs\t\t:\n\n"
        path.write_text(2 * one)
        monkeypatch.setattr(arithmetic, "CPU_INFO", path)

    return given


@pytest.mark.parametrize(
    ("flags", "line", "unit"),
    [
        (AVX512, "flags\t\t", None),
        ("fpu sse2 avx avx2 avx_vnni", "flags\t\t", None),
        (AVX512 + " avx512_bf16 arat", "flags\t\t", "avx512_bf16"),
        (AVX512 + " avx512_bf16 amx_bf16 amx_tile", "flags\t\t", "amx_bf16"),
        (ARM, "Features\t", "bf16"),
        ("fp asimd evtstrm", "Features\t", None),
    ],
)
def test_auto_takes_bf16_where_the_cpu_has_a_unit_for_it(cpu, flags, line, unit) -> None:
    cpu(flags, line)
    assert bf16_unit() == unit
    assert pick_precision("auto", CPU) == ("bf16" if unit else "fp32")
    assert (pick_precision("bf16", CPU), pick_precision("fp32", CPU)) == ("bf16", "fp32")


@pytest.mark.parametrize(
    ("variables", "unit"),
    [
        ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, None),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, None),
        ({"ONEDNN_MAX_CPU_ISA": "avx512_core_vnni"}, None),
        ({"DNNL_MAX_CPU_ISA": "AVX512_CORE"}, None),
        ({"ONEDNN_MAX_CPU_ISA": "ALL", "DNNL_MAX_CPU_ISA": "AVX512_CORE"}, "amx_bf16"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, "avx512_bf16"),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"}, "amx_bf16"),
        ({"ONEDNN_MAX_CPU_ISA": "DEFAULT"}, "amx_bf16"),
        ({"ONEDNN_MAX_CPU_ISA": "no such name"}, "amx_bf16"),  # oneDNN does not heed it either
    ],
)
def test_the_limit_of_onednn_is_heeded(cpu, monkeypatch, variables, unit) -> None:
    cpu(AVX512 + " avx512_bf16 amx_bf16")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert bf16_unit() == unit
    assert pick_precision("auto", CPU) == ("bf16" if unit else "fp32")


def test_a_limit_gives_no_unit_that_is_absent(cpu, monkeypatch) -> None:
    cpu(AVX512)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    assert bf16_unit() is None


def test_without_cpuinfo_torch_is_asked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(arithmetic, "CPU_INFO", tmp_path / "absent")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": True}, raising=False)
    assert bf16_unit() == "avx512_bf16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False}, raising=False)
    assert bf16_unit() is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True, "bf16": True}, raising=False)
    assert bf16_unit() == "bf16"
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert bf16_unit() is None, "without oneDNN, bf16 is slow whatever the CPU has"


def test_without_cpuinfo_and_before_torch_knew_its_capabilities(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(arithmetic, "CPU_INFO", tmp_path / "absent")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for supported in (False, True):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda supported=supported: supported)
        assert bf16_unit() == ("avx512_bf16" if supported else None)


def test_the_reason_is_told(cpu, monkeypatch) -> None:
    cpu(AVX512)
    assert described("fp32", CPU) == "fp32 on cpu (no unit for bf16)"
    cpu(AVX512 + " avx512_bf16")
    assert described("bf16", CPU) == "bf16 on cpu (unit for bf16: avx512_bf16)"
    assert described("fp16", CPU).startswith("fp16 on cpu (slower than fp32, and its gradients a hundred times slower;")
    for computes, reason in ((True, ""), (False, " (no unit for bf16)")):
        monkeypatch.setattr(arithmetic, "gpu_computes_bf16", lambda device, computes=computes: computes)
        assert described("bf16", torch.device("cuda", 1)) == f"bf16 on cuda:1{reason}"
        assert described("fp16", torch.device("cuda", 1)) == "fp16 on cuda:1"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")
    assert cpu_text() == "no unit for bf16, by ONEDNN_MAX_CPU_ISA=AVX512_CORE"


def test_the_precision_is_that_of_the_gpu_asked_for_and_not_of_the_current_one(monkeypatch: pytest.MonkeyPatch):
    current = [torch.device("cuda", 0)]

    class Within:
        def __init__(self, device):
            self.device = device

        def __enter__(self):
            current.append(self.device)

        def __exit__(self, *_):
            current.pop()

    monkeypatch.setattr(torch.cuda, "device", Within)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1].index == 1)
    assert [pick_precision("auto", torch.device("cuda", index)) for index in (0, 1)] == ["fp16", "bf16"]


def test_networks_learn_in_fp32_from_narrow_images_on_a_cpu_with_amx(cpu) -> None:
    names, widths = ("auto", "bf16", "fp32"), (16, 32)
    for flags, narrow in ((AVX512 + " avx512_bf16 amx_bf16", "fp32"), (AVX512 + " avx512_bf16", "bf16")):
        cpu(flags)
        found = {(name, width): training_precision(name, CPU, width) for name in names for width in widths}
        assert {found["auto", 16], found["bf16", 16]} == {narrow} and {found["auto", 32], found["bf16", 32]} == {"bf16"}
        assert {found["fp32", 16], found["fp32", 32]} == {"fp32"}
        assert ("not used for images of fewer than 32 columns" in described(narrow, CPU, 16)) == (narrow == "fp32")
        assert "not used" not in described("bf16", CPU, 32)
