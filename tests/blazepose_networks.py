"""Stand-ins for LiteRT and for BlazePose's networks: a figure that stands in the middle of what it is shown."""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.labelers import blazepose_files
from pipeline.labelers.blazepose_detector import GRIDS
from pipeline.labelers.blazepose_person import JOINTS, LANDMARKS, VALUES

ANCHORS = sum(cells * cells * count for cells, count in GRIDS)
# x, y of a person of 17 joints in fractions of the pose network's square: the body fills the middle 80 %.
FIGURE = np.array(
    [
        *[(0.5, 0.15)] * 5,
        *[(0.57, 0.25), (0.43, 0.25), (0.59, 0.38), (0.41, 0.38), (0.59, 0.5), (0.41, 0.5)],
        *[(0.55, 0.5), (0.45, 0.5), (0.55, 0.68), (0.45, 0.68), (0.55, 0.86), (0.45, 0.86)],
    ]
)


@dataclass
class Scene:
    """What the stand-ins say. The tests change it.

    people: of the detector: score, and hips, point on the circle, shoulders in fractions of its square. score: of the
    pose network. joints: [17, 2] in fractions of its region. visible: logits [17]. silhouette: a logit, the same for
    every pixel. selfie: [256, 256], probabilities. seen: inputs by network.
    """

    people: list[tuple[float, tuple[float, float], tuple[float, float], tuple[float, float]]] = field(
        default_factory=list
    )
    score: float = 0.9
    joints: np.ndarray = field(default_factory=lambda: FIGURE.copy())
    visible: np.ndarray = field(default_factory=lambda: np.full(17, 5.0))
    silhouette: float = 5.0
    selfie: np.ndarray = field(default_factory=lambda: np.ones((256, 256), np.float32))
    seen: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def answer(self, network: str, pixels: np.ndarray) -> list[np.ndarray]:
        self.seen.setdefault(network, []).append(pixels)
        if network == "pose_detection":
            return self._detections()
        if network == "selfie_segmentation":
            return [self.selfie[..., None]]
        landmarks = np.zeros((LANDMARKS, VALUES), np.float32)
        landmarks[list(JOINTS), :2] = self.joints * 256
        landmarks[list(JOINTS), 3] = self.visible
        silhouette = np.full((256, 256, 1), self.silhouette, np.float32)
        return [landmarks.ravel(), np.array([self.score], np.float32), silhouette, np.zeros(1), np.zeros(1)]

    def _detections(self) -> list[np.ndarray]:
        raw, logits = np.zeros((ANCHORS, 12), np.float32), np.full((ANCHORS, 1), -100.0, np.float32)
        for score, hips, circle, shoulders in self.people:
            column, row = (int(edge * 28) for edge in hips)
            anchor = 2 * (28 * row + column)
            middle = (np.array([column, row]) + 0.5) / 28
            points = [np.array(point) - middle for point in (hips, circle, shoulders, shoulders)]
            raw[anchor] = 224 * np.concatenate([(0, 0, 0.2, 0.2), *points])
            logits[anchor] = np.log(score / (1 - score))
        return [raw, logits]


class FakeInterpreter:
    """LiteRT's interpreter, answering from a scene. num_threads: kept, for a test."""

    scene: Scene
    threads: list[int]

    def __init__(self, model_path: str, num_threads: int) -> None:
        self.network = Path(model_path).stem
        self.threads.append(num_threads)

    def allocate_tensors(self) -> None:
        """Nothing to allocate."""

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 0}]

    def get_output_details(self) -> list[dict[str, Any]]:
        count = {"pose_detection": 2, "selfie_segmentation": 1}.get(self.network, 5)
        return [{"index": 1 + number} for number in range(count)]

    def set_tensor(self, index: int, values: np.ndarray) -> None:
        assert index == 0 and values.dtype == np.float32 and len(values) == 1
        self.values = values

    def invoke(self) -> None:
        self.outputs = self.scene.answer(self.network, self.values[0])

    def get_tensor(self, index: int) -> np.ndarray:
        return self.outputs[index - 1][None]


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """The scene of networks in a folder, which take the place of the real ones."""
    scene = Scene()
    made = type("Interpreter", (FakeInterpreter,), {"scene": scene, "threads": []})
    module = types.ModuleType("ai_edge_litert.interpreter")
    module.Interpreter = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ai_edge_litert", types.ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    for file in blazepose_files.ALL:
        (folder / file.name).write_bytes(file.name.encode())
    monkeypatch.setattr(blazepose_files, "digest_file", _digest)
    return scene


def require_real() -> Path:
    """Folder of the real networks, as `make weights-blazepose` leaves it for this user; skips where they are not there.

    The tests have a cache of their own, so the folder has to be named.
    """
    pytest.importorskip("ai_edge_litert")
    folder = Path.home() / ".cache" / "sorn" / blazepose_files.FOLDER
    try:
        blazepose_files.require(folder, blazepose_files.ALL)
    except UserError as error:
        pytest.skip(str(error))
    return folder


def _digest(path: Path) -> str:
    """The published digest of a stand-in's file; its own of any other content."""
    content = path.read_bytes()
    published = {file.name.encode(): file.sha256 for file in blazepose_files.ALL}
    return published.get(content, hashlib.sha256(content).hexdigest())
