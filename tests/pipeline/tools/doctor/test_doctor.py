"""`sorn doctor`: what it says of environments that are not this one."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.io.checkpoints import save_weights
from pipeline.runtime import arithmetic
from pipeline.tools.doctor import doctor, installation, machine, optional, probes
from pipeline.tools.doctor.answers import (
    BackendsAnswer,
    Failed,
    Hdf5Answer,
    NumbaAnswer,
    PillowAnswer,
    TorchAnswer,
    TorchvisionAnswer,
    read_answer,
)
from pipeline.tools.doctor.diagnosis import LEVELS, Diagnosis
from pipeline.tools.doctor.machine import Cards

CUDA = {"version": "2.14.1+cu130", "cuda": "13.0", "devices": [], "cpu": "no unit for bf16"}
H100 = {"name": "NVIDIA H100", "memory": 85 * 10**9, "bf16": True}
ABSENT = {"error": "ModuleNotFoundError: No module named 'torch'"}
HEALTHY: dict[str, dict[str, Any]] = {
    "torch": CUDA,
    "torchvision": {"version": "0.29.1+cu130"},
    "hdf5": {"hdf5": "2.0.0"},
    "numba": {"version": "0.68.1"},
    "pillow": {"missing": []},
    "synped": {},
    "densepose": {"version": "0.6", "cuda": "not available"},
    "blazepose": {"litert": "2.3.0", "networks": 5, "folder": "/cache/blazepose"},
    "imagenet": {"here": ["resnet50"], "timm": ""},
    "backends": {"dask": {"dask": "2026.1", "distributed": None}, "ray": {"ray": "2.6"}},
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What the probes say, for a test to change; the machine has two cores, no card and no compiler."""
    answers = dict(HEALTHY)
    monkeypatch.setattr(doctor, "ask", lambda name, *_: answers[name])
    monkeypatch.setattr(arithmetic, "cpu_flags", lambda: frozenset({"avx512_vnni"}))  # the longest name of a unit
    monkeypatch.setattr(optional, "version", lambda name: "")
    monkeypatch.setattr(doctor, "graphics_cards", Cards)
    monkeypatch.setattr(doctor, "toolkit_version", str)
    monkeypatch.setattr(doctor, "memory_bytes", lambda: 8 * 10**9)
    monkeypatch.setattr(doctor, "shared_memory_bytes", lambda: None)
    monkeypatch.setattr(doctor, "required", lambda: [("numpy", ">=1.26")])
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(10**12, 0, 10**12))
    return answers


def checks(tmp_path: Path) -> dict[str, Diagnosis]:
    found = list(doctor.diagnose(tmp_path / "runs", tmp_path / "data"))
    assert all(check.level in LEVELS and bool(check.remedy) == (check.level != "ok") for check in found)
    return {check.name: check for check in found}


def run(tmp_path: Path, *words: str, code: int) -> str:
    common = ["--runs", str(tmp_path / "runs"), "--data-root", str(tmp_path / "data")]
    result = CliRunner().invoke(main, ["doctor", *common, *words])
    assert result.exit_code == code, result.output
    return result.output


def test_a_healthy_environment_is_a_line_each(answers: dict[str, Any], tmp_path: Path) -> None:
    text = run(tmp_path, code=0)
    assert all(line.startswith("ok ") for line in text.splitlines()[:-1])
    assert "weights of resnet50 are here; no timm (where to get weights: sorn models)" in text
    assert "no dask (pip install dask distributed), ray 2.6" in text
    assert text.endswith("the default pipeline can run (problems: 0, warnings: 0)\n")


@pytest.mark.parametrize(
    ("flag", "versions", "told"),
    [
        ("avx512_vnni", {"openvino": "4.1", "nncf": "3.4"}, "openvino 4.1 and nncf 3.4; unit for int8: avx512_vnni"),
        ("avx2", {"nncf": "3"}, "no openvino and nncf 3 (pip install -e '.[int8]'); no unit for int8"),
    ],
)
def test_int8_is_told_with_what_it_needs(monkeypatch: pytest.MonkeyPatch, flag, versions, told) -> None:
    monkeypatch.setattr(arithmetic, "cpu_flags", lambda: frozenset({flag}))
    monkeypatch.setattr(optional, "version", lambda name: versions.get(name, ""))
    found = optional.int8()
    assert found.level == "ok" and found.found.endswith(told)


def test_json(answers: dict[str, Any], tmp_path: Path) -> None:
    answers["hdf5"] = {"error": "ImportError: libhdf5.so"}
    told = json.loads(run(tmp_path, "--json", code=1))
    assert told["usable"] is False
    (line,) = [check for check in told["checks"] if check["name"] == "h5py"]
    assert line["level"] == "problem" and "libhdf5.so" in line["found"] and "requirements.txt" in line["remedy"]


def test_without_numba_nothing_can_be_evaluated(answers: dict[str, Any], tmp_path: Path) -> None:
    answers["numba"] = {"error": "ImportError: Numba needs NumPy 2.4 or less"}
    told = json.loads(run(tmp_path, "--json", code=1))
    (line,) = [check for check in told["checks"] if check["name"] == "numba"]
    assert line["level"] == "problem" and "NumPy 2.4" in line["found"] and "evaluated" in line["found"]
    assert line["remedy"]


def test_without_torch_everything_else_is_still_told(answers: dict[str, Any], tmp_path: Path) -> None:
    answers |= dict.fromkeys(("torch", "torchvision", "densepose"), ABSENT)
    found = checks(tmp_path)
    assert (found["torch"].level, found["torchvision"].level, found["DensePose"].level) == (
        "problem",
        "problem",
        "warning",
    )
    assert found["Pillow"].level == found["GPU"].level == found["nvcc"].level == "ok"
    assert "cannot run (problems: 2" in run(tmp_path, code=1)


def test_torchvision_of_another_torch(answers: dict[str, Any], tmp_path: Path) -> None:
    answers["torchvision"] = {"error": "RuntimeError: operator torchvision::nms does not exist"}
    found = checks(tmp_path)["torchvision"]
    assert found.level == "problem" and "2.14.1+cu130: RuntimeError: operator torchvision::nms" in found.found
    for version in ("0.28.0+cu130", "0.29.1+cpu"):
        answers["torchvision"] = {"version": version}
        assert checks(tmp_path)["torchvision"].level == "warning"


@pytest.mark.parametrize(
    ("torch", "cards", "level", "words"),
    [
        (CUDA | {"devices": [H100, H100 | {"bf16": False}]}, Cards(), "ok", "cuda:1 NVIDIA H100, 85 GB, no bf16"),
        (CUDA, Cards(), "ok", "none: everything runs on the CPU"),
        (CUDA | {"cuda": None}, Cards(("A100",), "12.4"), "warning", "torch is built for the CPU .*whl/cu124"),
        (CUDA, Cards(("A100",), "12.4"), "warning", r"too old for torch, .* CUDA 13\.0 .*Update the driver"),
        (CUDA, Cards(("A100",), "13.1"), "warning", "torch does not see it .*CUDA_VISIBLE_DEVICES"),
        (ABSENT, Cards(("A100",), ""), "warning", r"driver for CUDA \?\), but there is no torch"),
    ],
)
def test_graphics_cards(answers, tmp_path, monkeypatch, torch, cards, level, words) -> None:
    answers["torch"] = torch
    monkeypatch.setattr(doctor, "graphics_cards", lambda: cards)
    found = checks(tmp_path)["GPU"]
    assert found.level == level
    assert re.search(words, f"{found.found} {found.remedy}")


def test_a_compiler_of_another_cuda_breaks_the_build_of_detectron2(answers, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "toolkit_version", lambda: "12.1")
    found = checks(tmp_path)["nvcc"]
    assert found.level == "warning" and "CUDA 12.1, but torch is built for CUDA 13.0" in found.found
    monkeypatch.setattr(doctor, "toolkit_version", lambda: "13.2")
    assert checks(tmp_path)["nvcc"].level == "ok"


def test_densepose_says_how_it_is_installed_and_stops_nothing(answers: dict[str, Any], tmp_path: Path) -> None:
    answers["densepose"] = {"wrong": "labeler densepose needs detectron2", "remedy": "pip install --no-build-isolation"}
    found = checks(tmp_path)["DensePose"]
    assert (found.level, found.remedy) == ("warning", "pip install --no-build-isolation")
    assert run(tmp_path, code=0).endswith("(problems: 0, warnings: 1)\n")


def test_pillow_needs_jpeg(answers: dict[str, Any], tmp_path: Path) -> None:
    answers["pillow"] = {"missing": ["webp"]}
    assert checks(tmp_path)["Pillow"].level == "warning"
    answers["pillow"] = {"missing": ["jpg", "webp"]}
    assert checks(tmp_path)["Pillow"].level == "problem"


def test_little_room(answers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(10**12, 0, 3 * 10**9))
    monkeypatch.setattr(doctor, "shared_memory_bytes", lambda: 64 * 10**6)
    found = checks(tmp_path)
    assert "3 GB free" in found["--runs"].found and found["--runs"].level == found["--data-root"].level == "warning"
    assert "0.06 GB of shared memory" in found["machine"].found and "--shm-size" in found["machine"].remedy
    monkeypatch.setattr(doctor, "memory_bytes", lambda: 2 * 10**9)
    assert "--workers 0" in checks(tmp_path)["machine"].remedy
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    found = checks(tmp_path)
    assert found["--runs"].level == "problem" and f"{tmp_path} cannot be written to" in found["--runs"].found
    assert found["--data-root"].level == "warning"


def test_packages_that_are_missing_or_old(answers: dict[str, Any], tmp_path: Path, monkeypatch) -> None:
    needed = [("nowhere", ">=1"), ("numpy", ">=99.1"), ("pillow", ">=1,<2.5"), ("click", ">=8.1")]
    monkeypatch.setattr(doctor, "required", lambda: needed)
    found = checks(tmp_path)["packages"]
    assert found.level == "problem" and "click" not in found.found
    for words in ("nowhere is not installed", "numpy is ", "needed is >=99.1", "needed is >=1,<2.5"):
        assert words in found.found


def test_the_packages_are_those_of_the_requirements() -> None:
    assert {"torch", "h5py", "anny"} <= {name for name, _ in doctor.required()}
    assert dict(doctor.required())["anny"] == ">=0.6,<0.7"


@pytest.mark.parametrize(
    ("version", "ranges", "expected"),
    [
        ("2.14.1+cu130", ">=2.6", True),
        ("2.5.1", ">=2.6", False),
        ("0.6.2", ">=0.6,<0.7", True),
        ("0.7.0", ">=0.6,<0.7", False),
        ("10.0", ">=9.1", True),
        ("1.2", "", True),
    ],
)
def test_versions(version: str, ranges: str, expected: bool) -> None:
    assert doctor.within(version, ranges) is expected


def test_what_the_driver_and_the_compiler_print(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = "if [ $# = 0 ]; then echo '| Driver Version: 550.54  CUDA Version: 12.4 |'; else echo 'A100, 550.54'; fi"
    for name, script in (("nvidia-smi", driver), ("nvcc", "echo 'Cuda compilation tools, release 12.1, V12.1.66'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_HOME", raising=False)
    assert machine.graphics_cards() == Cards(("A100, 550.54",), "12.4")
    assert machine.toolkit_version() == "12.1"
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "gone"))
    assert machine.toolkit_version() == ""
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert machine.graphics_cards() == Cards()


def test_a_probe_that_raises_crashes_or_hangs_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probes.ask("pillow") == {"missing": []}
    assert probes.ask("nothing") == {"error": "KeyError: 'nothing'"}
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\necho 'Illegal instruction' >&2\nkill -ILL $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))
    assert probes.ask("torch") == {"error": "Python ended with code -4: Illegal instruction"}
    crashing.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(probes, "TIMEOUT", 0.1)
    assert probes.ask("torch") == {"error": "no answer within 0.1 seconds"}


def probed(capsys: pytest.CaptureFixture[str], name: str, *arguments: str) -> dict[str, Any]:
    probes.main(name, *arguments)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_this_environment_answers(capsys: pytest.CaptureFixture[str]) -> None:
    torch = read_answer(TorchAnswer, probed(capsys, "torch"))
    vision = read_answer(TorchvisionAnswer, probed(capsys, "torchvision"))
    assert doctor._torch(torch).level == "ok" and doctor._torchvision(torch, vision).level == "ok"
    assert doctor._numba(read_answer(NumbaAnswer, probed(capsys, "numba"))).level == "ok"
    assert doctor._hdf5(read_answer(Hdf5Answer, probed(capsys, "hdf5"))).level == "ok"
    assert optional.backends(read_answer(BackendsAnswer, probed(capsys, "backends"))).level == "ok"


@pytest.mark.parametrize("reply", [{}, {"missing": "jpg"}, {"error": 3}])
def test_a_reply_of_another_kind_is_a_failure(reply: dict[str, object]) -> None:
    answer = read_answer(PillowAnswer, reply)
    assert isinstance(answer, Failed) and answer.why.startswith("its answer cannot be understood: ")


def test_weights_are_told_by_what_is_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    made = {"network": "danet", "backbone": "resnet18", "image_size": [192, 96], "trained_on": "synped"}
    save_weights(tmp_path / "danet.safetensors", {"stem.weight": torch.zeros(2)}, made)
    save_weights(tmp_path / "model.safetensors", {"backbone.weight": torch.zeros(2)}, {"fingerprint": "f"})
    torch.save({"roi_heads.keypoint_predictor.kps_score_lowres.weight": torch.zeros(2)}, tmp_path / "k.pth")
    zoo = {"model": {"roi_heads.densepose_predictor.ann_index_lowres.weight": np.zeros(2, np.float32)}}
    (tmp_path / "model_final_162be9.pkl").write_bytes(pickle.dumps(zoo))
    for name, words in (
        ("danet.safetensors", "DANet (resnet18, 192x96, trained on synped), for LABELER=danet"),
        ("model.safetensors", "SORN, a checkpoint of `make train`"),
        ("k.pth", "torchvision's Keypoint R-CNN, for LABELER=torchvision"),
        ("model_final_162be9.pkl", "DensePose with parts, named as densepose_rcnn_R_50_FPN_s1x, for LABELER=densepose"),
    ):
        assert probed(capsys, "weights", str(tmp_path / name)) == {"kind": words, "tensors": 1}
    for tensor, words in (
        ("roi_heads.densepose_predictor.embed_lowres.weight", "has no body parts"),
        ("roi_heads.mask_predictor.mask_fcn_logits.weight", "torchvision's Mask R-CNN"),
        ("layer1.0.conv1.weight", "a ResNet"),
        ("x", "an unknown network: x ..."),
    ):
        assert words in probes.kind_of({}, [tensor], "a.pth")


def test_weights_that_would_run_code_are_not_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"model": Evil()}))
    assert "it wants to call" in probed(capsys, "weights", str(tmp_path / "evil.pkl"))["wrong"]
    assert not (tmp_path / "ran").exists()


def test_a_file_of_weights_is_measured(answers: dict[str, Any], tmp_path: Path) -> None:
    answers["weights"] = {"kind": "a ResNet", "tensors": 2}
    path = tmp_path / "w.pth"
    path.write_bytes(b"abc")
    text = " ".join(run(tmp_path, "--weights", str(path), code=0).split())
    assert "sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad: a ResNet; 2 tensors" in text
    answers["weights"] = {"wrong": "weights are damaged", "remedy": "Fetch them."}
    assert "problem weights weights are damaged -> Fetch them." in " ".join(
        run(tmp_path, "--weights", str(path), code=1).split()
    )
    assert "there is no file" in run(tmp_path, "--weights", str(tmp_path / "gone.pth"), code=1)


def test_the_doctor_imports_no_torch() -> None:
    code = "import sys, pipeline.tools.doctor.doctor; sys.exit('torch' in sys.modules or 'h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lost_metadata_and_lost_files_are_problems(answers, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "required", list)
    monkeypatch.setattr(installation, "missing_files", lambda: ["data_manifests/*.toml"])
    found = checks(tmp_path)
    assert found["packages"].level == found["sorn"].level == "problem"
    assert "metadata of sorn" in found["packages"].found and "data_manifests/*.toml" in found["sorn"].found
    assert "cannot run (problems: 2" in run(tmp_path, code=1)


def test_an_installed_package_is_repaired_by_pip_with_its_own_ranges(tmp_path: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: sorn\nVersion: 9\nRequires-Dist: torch>=2.6\n"
    (tmp_path / "sorn-9.dist-info").mkdir()
    (tmp_path / "sorn-9.dist-info" / "METADATA").write_text(f'{metadata}Requires-Dist: onnx; extra == "export"\n')
    assert installation.required(tmp_path) == [("torch", ">=2.6")]
    assert installation.install(["torch"], tmp_path) == "Run: pip install 'torch>=2.6'"
    assert "version 9" in installation.described(tmp_path) and "a checkout" in installation.described()
    assert installation.install(["torch"]).startswith("Run: make setup")


def test_networks_that_ship_are_checked(shipped) -> None:
    *_, found = installation.program()
    assert (found.level, found.found) == ("ok", "networks that ship: starter (SORN), starter-danet (DANet)")
    (shipped / "starter" / "config.json").unlink()
    *_, found = installation.program()
    assert found.level == "warning" and "lacks its file" in found.found and found.remedy.startswith("Install the ")
