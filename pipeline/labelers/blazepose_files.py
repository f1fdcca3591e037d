"""Files of BlazePose's networks: names, digests, the packages that hold them.

The networks are Google's, under Apache-2.0. Two packages of public registries hold them; neither is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import LostFile, UserError
from pipeline.io.cache import VARIABLE, cache_folder
from pipeline.io.files import digest_file

FETCH = "sorn weights blazepose"  # as `make weights-blazepose`
FOLDER = "blazepose"  # in the cache
NPM_PACKAGE = "@mediapipe/pose@0.5.1675469404"
PIP_PACKAGE = "mediapipe==0.10.21"  # later ones hold no networks


@dataclass(frozen=True)
class NetworkFile:
    """One network.

    name: of its file in the cache. package: NPM_PACKAGE or PIP_PACKAGE. member: path inside the package's archive.
    """

    name: str
    package: str
    member: str
    sha256: str


def _pose(model: str, sha256: str) -> NetworkFile:
    name = f"pose_landmark_{model}.tflite"
    return NetworkFile(name, NPM_PACKAGE, f"package/{name}", sha256)


POSE = {
    "lite": _pose("lite", "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61"),
    "full": _pose("full", "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"),
    "heavy": _pose("heavy", "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe"),
}
DETECTOR = NetworkFile(
    "pose_detection.tflite",
    PIP_PACKAGE,
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
)
SELFIE = NetworkFile(
    "selfie_segmentation.tflite",
    PIP_PACKAGE,
    "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
    "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
)
ALL = (*POSE.values(), DETECTOR, SELFIE)


def default_folder() -> Path:
    """Folder that FETCH fills. Raises UserError for a user without a home."""
    cache = cache_folder()
    if cache is None:
        raise UserError(
            f"~/.cache/sorn/{FOLDER} cannot be found: there is no home folder",
            f"Name a folder by the variable {VARIABLE}, then: {FETCH}",
        )
    return cache / FOLDER


def require(folder: Path, files: tuple[NetworkFile, ...]) -> None:
    """Check that the files are in the folder and whole.

    Raises LostFile for one that is not there, UserError for one with another sha256.
    """
    for file in files:
        path = folder / file.name
        if not path.is_file():
            raise LostFile(f"the network {path} does not exist", f"Fetch it: {FETCH}")
        found = digest_file(path)
        if found != file.sha256:
            wrong = f"{path} is damaged or another network: its sha256 is {found}, not {file.sha256}"
            raise UserError(wrong, f"Fetch it again: {FETCH}")
