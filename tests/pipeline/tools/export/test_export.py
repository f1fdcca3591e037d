"""Exported networks, read by a second reader: the same features, normalised once, and no file where that is not so."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.io.checkpoints import save_weights
from pipeline.io.files import digest_file
from pipeline.runs.made_by import MadeBy
from pipeline.runs.stored_options import as_json
from pipeline.shards.format import ShardWriter
from pipeline.shards.index import ShardEntry, ShardIndex, SplitEntry, write_index
from pipeline.tools.export.parity import BATCHES, find_probe
from sorn import export as sorn_export
from sorn.batch import to_input
from sorn.config import SORNConfig
from sorn.network import SORN
from sorn.normalisation import IMAGENET
from sorn.sample import Sample, Status

SIZE = (64, 32)
CONFIG = SORNConfig(identities=5, backbone="resnet18", stripes=2)


def network(config: SORNConfig = CONFIG) -> SORN:
    """Untrained, but its batch normalisation has seen images, and some pixels are background."""
    torch.manual_seed(0)
    made = SORN(config)
    with torch.no_grad():
        for _ in range(2):
            made(torch.randn(8, 3, *SIZE))
    return made.eval()


def write_training(folder: Path, made: SORN) -> Path:
    """A run's train folder, as the train stage leaves it."""
    save_weights(folder / "train" / "model.safetensors", made.state_dict(), {})
    about = {"model": as_json(made.config), "image_size": list(SIZE), "dataset": "occluded_duke", "labeler": "danet"}
    (folder / "train" / "config.json").write_text(json.dumps(about))
    return folder


def write_shards(folder: Path, people: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Two images of everybody, in runs/NAME/masks; returns the first of each."""
    rng, labeler = np.random.default_rng(1), {"name": "none", "version": 1, "options": {}, "weights": None}
    file, mask = folder / "masks" / "query" / "shard-00000.h5", np.zeros(size, np.uint8)
    samples = [
        Sample(
            rng.integers(256, size=(*size, 3), dtype=np.uint8), mask, pid, 1, f"query/{pid}-{i}.jpg", Status.UNLABELED
        )
        for pid in range(people)
        for i in range(2)
    ]
    with ShardWriter(file, len(samples), size, "f", labeler) as writer:
        for sample in samples:
            writer.append(sample)
    content = writer.content
    entry = ShardEntry("query/shard-00000.h5", "query", len(samples), content.digest, digest_file(file))
    split = SplitEntry(len(samples), content.digest, content.detection_digest, dict(content.status), 0.0)
    index = ShardIndex("f", MadeBy.of(labeler), None, size, (1,), {"query": split}, (entry,))
    write_index(folder / "masks" / "index.json", index)
    return [sample.image for sample in samples[::2]]


def export(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["export", *words])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training(tmp_path_factory.mktemp("runs") / "tiny-danet", network())


@pytest.fixture(scope="module")
def torch_file(run: Path) -> Path:
    out = export("tiny-danet", "--runs", str(run.parent), "--format", "torch", "--tau", "0.3")
    assert "16 random images, in batches of 1, 2, 5" in out and "0 differ" in out
    assert not (run / "export" / "sorn.onnx").exists()
    return run / "export" / "sorn.pt2"


@pytest.fixture(scope="module")
def onnx_file(run: Path) -> Path:
    pytest.importorskip("onnxruntime")
    export(str(run), "--format", "onnx", "--tau", "0.3")
    return run / "export" / "sorn.onnx"


def eager(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What SORN says of stored images, by its own code."""
    with torch.inference_mode():
        found = network()(to_input(images, IMAGENET))
    return {"global": found.global_feature, "local": found.local_features, "visibility": found.visibility}


@pytest.mark.parametrize("count", [1, 3, 7])
def test_torch_export_gives_the_same_features(torch_file: Path, count: int) -> None:
    images = torch.randint(0, 256, (count, *SIZE, 3), dtype=torch.uint8)
    extra = {"sorn.json": ""}
    program = torch.export.load(torch_file, extra_files=extra)
    found, expected = program.module()(images), eager(images)
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-4)
    assert not any("classifier" in name for name in program.state_dict)
    assert json.loads(extra["sorn.json"])["tau"] == 0.3


@pytest.mark.parametrize("count", [1, 3, 7])
def test_onnx_gives_the_same_features(onnx_file: Path, count: int) -> None:
    import onnxruntime

    images = torch.randint(0, 256, (count, *SIZE, 3), dtype=torch.uint8)
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"image": images.numpy()}), strict=True))
    expected = eager(images)
    assert names == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-4, atol=1e-4)


def test_what_the_onnx_file_says_of_itself(onnx_file: Path, run: Path) -> None:
    import onnx

    model = onnx.load(onnx_file)
    onnx.checker.check_model(model, full_check=True)
    (image,) = model.graph.input
    dims = [dim.dim_param or dim.dim_value for dim in image.type.tensor_type.shape.dim]
    assert (image.name, dims) == ("image", ["batch", 64, 32, 3])
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert min(entry.version for entry in model.opset_import if not entry.domain) >= 17
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["checkpoint_sha256"] == digest_file(run / "train" / "model.safetensors")
    assert json.loads(said["image_size"]) == [64, 32] and said["tau"] == "0.3"
    assert "withdrawn" in said["notice"] and said["ethics"].startswith("Biometric technology")
    assert not [tensor.name for tensor in model.graph.initializer if "classifier" in tensor.name]


def test_the_json_beside_it(torch_file: Path) -> None:
    about = json.loads((torch_file.parent / "sorn.pt2.json").read_text())
    assert about["input"] == {"name": "image", "type": "uint8", "shape": ["batch", 64, 32, 3]}
    assert about["outputs"] == {"global": ["batch", 768], "local": ["batch", 2, 512], "visibility": ["batch", 2]}
    assert about["sha256"] == digest_file(torch_file) and about["trained_on"] == "occluded_duke-danet"
    assert about["class_names"][:2] == ["background", "head"] and about["licence"]["dataset"].startswith("Was CC BY")
    parity = about["parity"]
    assert parity["images"] == sum(parity["batches"]) == 16 and set(parity["batches"]) == {1, 2, 5}
    figures = {figure["output"]: figure for figure in parity["outputs"]}
    assert figures["global"]["relative"] <= parity["tolerance"]["relative"] == 1e-4
    assert figures["local"]["distinct"] > 0.001 and figures["visibility"]["relative"] is None


@pytest.mark.parametrize("fault", ["normalised twice", "the same for all"])
def test_a_file_that_computes_something_else_is_not_left(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """fast-reid#177 and deep-person-reid#302. What an earlier export left stays, with its description."""
    faults = {
        "normalised twice": lambda images, of: to_input(images, of) / 255,
        "the same for all": lambda images, of: to_input(images[:1], of).expand(images.shape[0], -1, -1, -1),
    }
    monkeypatch.setattr(sorn_export, "to_input", faults[fault])
    (tmp_path / "sorn.pt2").write_text("earlier")
    (tmp_path / "sorn.pt2.json").write_text("{}")
    out = export(str(run), "--format", "torch", "--out", str(tmp_path), code=1)
    assert "the torch export does not compute what the network computes (global: features differ by" in out
    assert ("different images give the same features" in out) == (fault == "the same for all")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "sorn.pt2": "earlier",
        "sorn.pt2.json": "{}",
    }


def test_missing_packages_are_named_before_any_work(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else there(name))
    out = export(str(run), "--out", str(tmp_path / "out"), code=1)
    assert (
        "lacks: onnx, onnxscript, onnxruntime. In the project's folder, type: pip install -e '.[export]'" in out
        and "--format torch" in out
    )
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_not_there_is_named(run: Path) -> None:
    out = export("tiny", "--runs", str(run.parent), code=1)
    assert "no finished training run of 'tiny'" in out and "make train" in out
    assert "tau = 1.5: expected a number in [0, 1]" in export(str(run), "--tau", "1.5", code=1)


def test_a_network_that_tells_nobody_apart_is_refused(tmp_path: Path) -> None:
    dead = network()
    torch.nn.init.zeros_(dead.backbone.conv1.weight)
    out = export(str(write_training(tmp_path, dead)), "--format", "torch", code=1)
    assert "gives the same global feature for different images" in out and not (tmp_path / "export").exists()


def test_a_segmenter_alone_has_nothing_to_export(tmp_path: Path) -> None:
    alone = SORN(SORNConfig(backbone="resnet18", local_branch=False, global_branch=False))
    out = export(str(write_training(tmp_path, alone)), "--format", "torch", code=1)
    assert "has only the semantic branch, so it has no features to export" in out


def test_images_of_the_runs_own_people_are_compared(tmp_path: Path) -> None:
    first = write_shards(tmp_path, sum(BATCHES))
    probe = find_probe(tmp_path / "train", SIZE)
    assert probe.text == "16 images of different people, split query, in batches of 1, 2, 5"
    np.testing.assert_array_equal(probe.images.numpy(), np.stack(first))


@pytest.mark.parametrize(("people", "size"), [(15, SIZE), (16, (32, 32))])
def test_random_images_where_there_are_no_such(tmp_path: Path, people: int, size: tuple[int, int]) -> None:
    write_shards(tmp_path, people, size)
    probe = find_probe(tmp_path / "train", SIZE)
    assert probe.source == "random images" and probe.images.shape == (16, *SIZE, 3)
    assert len({image.tobytes() for image in probe.images.numpy()}) == 16


def test_a_disk_without_room_is_told_before_the_export(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 2 * (run / "train" / "model.safetensors").stat().st_size - 1})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    monkeypatch.setattr("pipeline.tools.export.export.traced", lambda *_: pytest.fail("the network was traced"))
    out = export(str(run), "--out", str(tmp_path / "out"), code=1)
    assert f"{tmp_path / 'out'} needs " in out and "are free there. Free space" in out and "with --out" in out
    assert not (tmp_path / "out").exists()
