"""What the doctor says of parts that the default pipeline does without."""

from __future__ import annotations

import sys
from pathlib import Path

import blazepose_networks
import pytest

from pipeline.tools.doctor import optional, probes
from pipeline.tools.doctor.answers import BlazeposeAnswer, Failed, Unusable


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of networks that stand in for BlazePose's, where the doctor looks for them."""
    monkeypatch.setenv("SORN_CACHE", str(tmp_path))
    folder = tmp_path / "blazepose"
    folder.mkdir()
    blazepose_networks.install(folder, monkeypatch)
    return folder


def test_blazepose_is_there(networks: Path) -> None:
    answer = probes.probe_blazepose()
    assert isinstance(answer, BlazeposeAnswer)
    found = optional.blazepose(answer)
    assert found.level == "ok" and f"5 networks are in {networks}" in found.found


def test_blazepose_without_litert(networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    found = optional.blazepose(probes.probe_blazepose())
    assert found.level == "warning" and "needs the package ai-edge-litert" in found.found
    assert "-m pip install 'ai-edge-litert>=" in found.remedy


@pytest.mark.parametrize("damaged", [True, False])
def test_blazepose_without_its_networks(networks: Path, damaged: bool) -> None:
    network = networks / "pose_landmark_heavy.tflite"
    network.write_bytes(b"half") if damaged else network.unlink()
    found = optional.blazepose(probes.probe_blazepose())
    assert found.level == "warning" and network.name in found.found and "sorn weights blazepose" in found.remedy


def test_a_litert_that_cannot_run_the_networks() -> None:
    found = optional.blazepose(Failed("RuntimeError: operator version"))
    assert found.level == "warning" and "RuntimeError: operator version" in found.found
    assert "ai-edge-litert" in found.remedy


def test_answer_of_the_labeler() -> None:
    assert optional.blazepose(Unusable("lost", "find it")).remedy == "find it"
