"""BlazePose's networks, taken out of two packages of public registries.

Writes the files of `blazepose_files` into a folder. The packages are downloaded into a temporary folder with npm and
pip, or lie in a folder of the user; nothing of them is installed or run. Every file is compared with its sha256 before
it is written.
"""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.io.files import atomic
from pipeline.labelers.blazepose_files import ALL, FETCH, NPM_PACKAGE, PIP_PACKAGE, NetworkFile, require

# What tarfile and zipfile raise for an archive that is damaged or not all there.
BROKEN = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError)
TARBALL = "https://registry.npmjs.org/@mediapipe/pose/-/pose-0.5.1675469404.tgz"
# The networks are the same in the wheels of all systems. With a fixed one, any Python on any system gets it.
WHEEL = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64", "--only-binary", ":all:")
TIMEOUT = 60  # seconds without an answer


@dataclass(frozen=True)
class Package:
    """One package.

    archive: pattern of its file's name. command: what downloads it, for people. download: into a folder.
    """

    archive: str
    command: str
    download: Callable[[Path], None]


def fetch(folder: Path, packages: Path | None = None) -> Iterator[str]:
    """Networks that are missing in a folder or damaged, fetched.

    Yields a line about each. packages: folder with the two packages, downloaded already. Raises UserError for a package
    that cannot be had, is damaged or holds other files.
    """
    missing = [file for file in ALL if not _is_whole(folder, file)]
    with tempfile.TemporaryDirectory() as temporary:
        for name in dict.fromkeys(file.package for file in missing):
            archive = _archive(PACKAGES[name], packages, Path(temporary))
            for file in (file for file in missing if file.package == name):
                content = _content(archive, file)
                with atomic(folder / file.name) as path:
                    path.write_bytes(content)
                yield f"{folder / file.name}: from {name}"
    yield f"{folder} holds the {len(ALL)} networks of BlazePose, each with its sha256"


def _is_whole(folder: Path, file: NetworkFile) -> bool:
    try:
        require(folder, (file,))
    except UserError:
        return False
    return True


def _archive(package: Package, packages: Path | None, temporary: Path) -> Path:
    """File of a package: among the user's, or downloaded."""
    if packages is None:
        package.download(temporary)
    found = sorted((packages or temporary).glob(package.archive))
    if not found:
        wrong = f"there is no {package.archive} in {packages or 'what was downloaded'}"
        raise UserError(wrong, f"Download it there: {package.command}")
    return found[0]


def _content(archive: Path, file: NetworkFile) -> bytes:
    """Bytes of a network from its package's file."""
    remedy = f"Download the package again: {PACKAGES[file.package].command}"
    try:
        content = _member(archive, file.member)
    except KeyError as error:
        wrong = f"{archive} holds no {file.member}: it is another version of {file.package}, or not all of it"
        raise UserError(wrong, remedy) from error
    except BROKEN as error:
        raise UserError(f"{archive} cannot be read to its end: {reason(error)}", remedy) from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        wrong = f"{file.member} in {archive} has the sha256 {found}, not {file.sha256}"
        raise UserError(wrong, remedy)
    return content


def _member(archive: Path, name: str) -> bytes:
    """One file of an archive. Raises KeyError if it is not in it, one of BROKEN if the archive is damaged."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive, "r:gz") as tarball:
        member = tarball.extractfile(name)
        if member is None:
            raise KeyError(name)
        return member.read()


def _npm(folder: Path) -> None:
    """Download by npm, from the registry that it is set to; without npm, from its own address."""
    npm = shutil.which("npm")
    if npm is not None:
        _run([npm, "pack", NPM_PACKAGE, "--ignore-scripts"], folder, NPM_PACKAGE)
        return
    try:
        with (
            urllib.request.urlopen(TARBALL, timeout=TIMEOUT) as answer,
            open(folder / "mediapipe-pose.tgz", "wb") as file,
        ):
            shutil.copyfileobj(answer, file)
    except (OSError, ValueError) as error:
        raise UserError(f"{TARBALL} could not be downloaded: {reason(error)}", _elsewhere(NPM_PACKAGE)) from error


def _pip(folder: Path) -> None:
    """Download by the pip of this Python, or one that is on the path, as in environments without a pip."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True).returncode:
        found = shutil.which("pip") or shutil.which("pip3")
        if found is None:
            raise UserError(f"{sys.executable} has no pip", f"Install one: {sys.executable} -m ensurepip")
        pip = [found]
    _run([*pip, "download", "--no-deps", "--disable-pip-version-check", *WHEEL, PIP_PACKAGE], folder, PIP_PACKAGE)


def _run(command: list[str], folder: Path, package: str) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, errors="replace")
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", None) or reason(error)
        last = said.strip().splitlines()[-1]
        raise UserError(f"{' '.join(command)} failed: {last}", _elsewhere(package)) from error


def _elsewhere(package: str) -> str:
    """End of a remedy: the package that was to be downloaded."""
    elsewhere = f"on another machine by: {PACKAGES[package].command}; then name its folder: {FETCH} --packages FOLDER"
    return f"See that the registry can be reached, or download it {elsewhere}"


PACKAGES = {
    NPM_PACKAGE: Package("mediapipe-pose*.tgz", f"npm pack {NPM_PACKAGE}", _npm),
    PIP_PACKAGE: Package("mediapipe-*.whl", f"pip download --no-deps {' '.join(WHEEL)} {PIP_PACKAGE}", _pip),
}
