"""Exports for trackers: one vector, the same in every runtime, and a description in the file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from pipeline.cli.app import main
from pipeline.features.network import load_network
from pipeline.io.files import digest_file
from pipeline.runs.checkpoint_info import describe
from pipeline.tools.export import tracker
from sorn.batch import to_input
from sorn.tracking import one_vector

SIZE = (64, 32)
IMAGES = torch.randint(0, 256, (3, *SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def training(tmp_path: Path, make_training: Callable[..., Path]) -> Path:
    return make_training(tmp_path / "mine-none" / "train", size=SIZE)


def export(training: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["export", str(training), "--tracker", *words])


def expected(training: Path, vector: str = "joined") -> np.ndarray:
    """Vector by the network itself."""
    network = load_network(training / "model.safetensors", describe(training).model, torch.device("cpu"))
    with torch.inference_mode():
        found: np.ndarray = one_vector(network(to_input(IMAGES, network.normalisation)), 0.15, vector).numpy()
    return found


@pytest.mark.parametrize("vector", ["joined", "global"])
def test_onnx(training: Path, vector: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    made = export(training, "--format", "onnx", "--vector", vector)
    assert made.exit_code == 0, made.output
    path = training.parent / "export" / "sorn-tracker.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (out,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, given.type) == ("images", ["batch", 3, "height", "width"], "tensor(float)")
    (found,) = session.run(None, {"images": tracker.as_trackers_do(IMAGES).numpy()})
    np.testing.assert_allclose(found, expected(training, vector), rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["input"])["mean"] == [0.485, 0.456, 0.406] and "any size" in said["preprocessing"].lower()
    about = json.loads((path.parent / "sorn-tracker.onnx.json").read_text())
    assert about["sha256"] == digest_file(path) and about["parity"]["outputs"][0]["output"] == "vector"
    assert about["options"] == ["--vector", vector, "--tau", "0.15"]
    assert about["outputs"] == {"vector": ["batch", found.shape[1]]} and out.name == "vector"


def test_openvino(training: Path) -> None:
    openvino = pytest.importorskip("openvino")
    made = export(training, "--format", "openvino")
    assert made.exit_code == 0, made.output
    folder = training.parent / "export" / "sorn-tracker_openvino_model"
    model = openvino.Core().read_model(folder / "sorn-tracker.xml")
    assert json.loads(model.get_rt_info(["sorn", "input"]).astype(str))["colour"] == "RGB"
    found = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(
        [tracker.as_trackers_do(IMAGES).numpy()]
    )[0]
    np.testing.assert_allclose(found, expected(training), rtol=0, atol=1e-5)


def test_a_file_without_parity_is_not_written(training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(tracker, "as_trackers_do", lambda images: images.permute(0, 3, 1, 2).float().contiguous())
    refused = export(training, "--format", "onnx")
    assert refused.exit_code == 1 and "does not compute what the network computes" in refused.output
    assert not list((training.parent / "export").glob("*"))


def test_without_openvino_it_is_said_how_to_get_it(training: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    assert tracker._possible(()) == ("onnx",)
    refused = export(training, "--format", "openvino")
    assert refused.exit_code == 1 and "lacks: openvino" in refused.output
    assert "pip install -e '.[export,openvino]'" in refused.output


def test_formats_and_vectors_that_trackers_have_not(training: Path) -> None:
    refused = export(training, "--format", "torch")
    assert refused.exit_code == 1 and "format = 'torch': expected one of onnx, openvino" in refused.output
