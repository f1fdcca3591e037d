"""Tailor's measures of every vertex of a resting body.

With them hems and sleeves fit all bodies. Reads and writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.datasets.synped.body import SEGMENT, Phenotype, group, rest
from pipeline.datasets.synped.elementary import arctan2, product
from pipeline.datasets.synped.mesh_kernels import normal_sums

TORSO_LENGTH = 0.56  # metres from the hip joints to the neck joint on the body that all garments are cut for


@dataclass(frozen=True)
class Measures:
    """Measures per vertex of one surface of the body, [n] float32.

    points: [n, 3] float32, position at rest. up: metres above the hip joints, scaled to TORSO_LENGTH. arm: along the
    arm, 0 = shoulder, 1 = elbow, 2 = wrist, -1 off the arm. leg: downwards, 0 = hip joint, 1 = knee, 2 = ankle.
    armness: share of the weights that belongs to the arm. neck: metres from the line of a crew neck, negative on the
    neck itself. around: angle about the body's axis, 0 = front, positive to the person's left. normals: [n, 3] float32.
    Scalars: scale = metres of `up` per metre of this body; centre = y of the torso's axis.
    """

    points: np.ndarray
    up: np.ndarray
    arm: np.ndarray
    leg: np.ndarray
    armness: np.ndarray
    neck: np.ndarray
    around: np.ndarray
    normals: np.ndarray
    scale: float
    centre: float
    hip: float


@lru_cache(maxsize=64)
def measure(phenotype: Phenotype, surface: str) -> Measures:
    """Tape round one body: its "skin" or its "tights"."""
    body, mesh = rest(phenotype), group(surface)
    points, joints = body.vertices[mesh.rows], body.joints
    hip = float(joints["joint-l-upper-leg"][2])
    knee, ankle = float(joints["joint-l-knee"][2]), float(joints["joint-l-ankle"][2])
    scale = TORSO_LENGTH / (float(joints["joint-neck"][2]) - hip)
    centre = float(joints["joint-spine-2"][1])
    up = (points[:, 2] - hip) * scale
    below = hip - points[:, 2]
    leg = np.where(points[:, 2] > knee, below / (hip - knee), 1 + (knee - points[:, 2]) / (knee - ankle))
    armness = mesh.weights[:, _segments("upperarm", "lowerarm", "hand", "knuckles", "fingertips")].sum(axis=1)
    return Measures(
        points=points,
        up=up,
        arm=_along_arm(points, joints, armness),
        leg=leg.astype(np.float32),
        armness=armness,
        neck=_from_neck(points, joints["joint-neck"], up, scale),
        around=arctan2(points[:, 0], -(points[:, 1] - centre)).astype(np.float32),
        normals=_normals(points, mesh.faces),
        scale=scale,
        centre=centre,
        hip=hip,
    )


def _segments(*stems: str) -> list[int]:
    return [index for name, index in SEGMENT.items() if name.partition(".")[0] in stems]


def _from_neck(points: np.ndarray, neck: np.ndarray, up: np.ndarray, scale: float) -> np.ndarray:
    """A crew neck runs where a ball round the pit of the throat cuts the shoulders; above it, height counts."""
    away = (points - neck) * scale - np.array([0, -0.02, 0.015], dtype=np.float32)
    metres: np.ndarray = np.minimum(np.linalg.norm(away, axis=1) - 0.085, TORSO_LENGTH + 0.025 - up).astype(np.float32)
    return metres


def _along_arm(points: np.ndarray, joints: dict[str, np.ndarray], armness: np.ndarray) -> np.ndarray:
    points = np.abs(points * [1, 0, 0]) + points * [0, 1, 1]  # both arms folded onto the left one
    shoulder, elbow, wrist = (joints[f"joint-l-{name}"] for name in ("shoulder", "elbow", "hand"))
    upper, lower = elbow - shoulder, wrist - elbow
    first = product(points - shoulder, upper) / product(upper, upper)
    second = product(points - elbow, lower) / product(lower, lower)
    place = np.where(first < 1, np.minimum(first, 1), 1 + np.maximum(second, 0))
    along: np.ndarray = (armness * place - (1 - armness)).astype(np.float32)
    return along


def _normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals [n, 3] float32; zero for vertices without faces."""
    summed = normal_sums(np.ascontiguousarray(points), faces)
    normals: np.ndarray = (summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return normals
