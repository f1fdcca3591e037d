"""`sorn models`: what a training can start from, and where its weights are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.io.files import digest_file, write_json
from pipeline.runs.stored_options import as_json
from pipeline.training import weight_sources
from pipeline.training.weight_sources import TorchvisionFile
from sorn.config import SORNConfig


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder.parent))
    monkeypatch.setitem(weight_sources.SOURCES, "resnet18", (TorchvisionFile("resnet18-e3b0c442.pth"),))  # empty file
    return folder


def models(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["models", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_backbones_with_their_weights(tmp_path: Path, cache: Path) -> None:
    (cache / "resnet18-e3b0c442.pth").touch()
    (cache / "resnet50-0676ba61.pth").write_text("half")
    listed = {one["name"]: one for one in json.loads(models("--runs", str(tmp_path), "--json"))["backbones"]}
    assert {name for name, one in listed.items() if one["networks"] != ["SORN", "DANet"]} == {"resnet10", "resnet101"}
    assert listed["resnet10"]["weights"] == []
    (of_18,), (of_34,), (of_50,) = (listed[f"resnet{number}"]["weights"] for number in (18, 34, 50))
    assert of_18["state"] == "here" and of_18["file"] == str(cache / "resnet18-e3b0c442.pth")
    assert of_34["state"] == "absent" and of_34["remedy"] == "A training downloads them."
    assert of_50["state"] == "damaged" and "rm " in of_50["remedy"]
    assert listed["efficientnet_lite0"]["parameters"] == 3371008
    assert listed["efficientnet_lite0"]["mean"] == [127 / 255] * 3
    assert listed["mobilenet_v2"]["channels"] == [32, 96, 1280]


def test_the_text_has_a_line_for_each_and_the_finished_trainings(tmp_path: Path) -> None:
    assert models("--runs", str(tmp_path)).endswith("begins with their weights.\nnone\n")
    folder = tmp_path / "mine-danet" / "train"
    folder.mkdir(parents=True)
    (folder / "stamp.json").touch()
    model = as_json(SORNConfig(identities=3, backbone="mobilenet_v2"))
    write_json(folder / "config.json", {"model": model, "image_size": [64, 32], "pids": [0, 1, 2]})
    text = models("--runs", str(tmp_path))
    assert f"{folder / 'model.safetensors'}    mobilenet_v2" in text
    for name in ("resnet50", "mobilenet_v2", "efficientnet_lite0", "timm:NAME"):
        assert f"\n{name} " in text


def test_one_backbone(tmp_path: Path) -> None:
    assert models("efficientnet_lite0").startswith("efficientnet_lite0  3.4 M parameters, channels 40 112 1280, input ")
    assert "expected one of resnet10, resnet18" in models("resnet19", code=1)


def test_one_of_timm() -> None:
    pytest.importorskip("timm")
    assert models("timm:mobilenetv3_small_050").startswith("timm:mobilenetv3_small_050")
    assert "has no maps of stride 8, 16 and 16" in models("timm:vit_tiny_patch16_224", code=1)


def test_networks_that_ship_with_their_digests(tmp_path: Path, shipped: Path) -> None:
    listed = {one["name"]: one for one in json.loads(models("--runs", str(tmp_path), "--json"))["shipped"]}
    weights = shipped / "starter" / "model.safetensors"
    assert listed["starter"]["sha256"] == digest_file(weights) and listed["starter"]["size"] == weights.stat().st_size
    assert listed["starter-danet"]["about"] == "DANet on resnet18, 32x16, trained on synped"
    (shipped / "starter-danet" / "config.json").write_text("{}")
    text = models("--runs", str(tmp_path))
    assert "\nstarter             SORN on resnet18, 64x32, trained on mine-none, " in text
    assert "\nstarter-danet       damaged. " in text and "is damaged: its sha256 is" in text


def test_no_network_ships(tmp_path: Path) -> None:
    assert "a DANet for LABELER=danet.\nnone\n" in models("--runs", str(tmp_path))
