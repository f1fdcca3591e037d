"""Where every vertex of a resting body lies in a tailor's terms, so that hems and sleeves fit all bodies. Reads and
writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.synped.body import SEGMENT, Phenotype, Rest, rest, template

TORSO_LENGTH = 0.56  # metres from the hip joints to the neck joint on the body that all garments are cut for


@dataclass(frozen=True)
class Measures:
    """Per vertex of the base mesh, [V] float32.

    up: metres above the hip joints, scaled to TORSO_LENGTH. arm: along the arm, 0 = shoulder, 1 = elbow, 2 = wrist,
    -1 off the arm. leg: downwards, 0 = hip joint, 1 = knee, 2 = ankle. armness: share of the weights that belongs to
    the arm. neck: metres below the line of a crew neck, negative on the neck itself. around: [V] angle about the
    body's axis, 0 = front, positive to the person's left. Scalars: scale = metres of `up` per metre of this body;
    centre = y of the torso's axis. normals: [V, 3] float32 of the tights and the skin in the rest pose.
    """

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


@lru_cache(maxsize=256)
def measure(phenotype: Phenotype) -> Measures:
    """Tape round one body."""
    body = rest(phenotype)
    points, joints = body.vertices, body.joints
    hip = float(joints["joint-l-upper-leg"][2])
    knee, ankle = float(joints["joint-l-knee"][2]), float(joints["joint-l-ankle"][2])
    scale = TORSO_LENGTH / (float(joints["joint-neck"][2]) - hip)
    centre = float(joints["joint-spine-2"][1])
    up = (points[:, 2] - hip) * scale
    below = hip - points[:, 2]
    leg = np.where(points[:, 2] > knee, below / (hip - knee), 1 + (knee - points[:, 2]) / (knee - ankle))
    armness = template().weights[:, _segments("upperarm", "lowerarm", "hand", "knuckles", "fingertips")].sum(axis=1)
    ahead = (float(joints["joint-neck"][1]) - points[:, 1]) * scale  # metres in front of the neck joint
    return Measures(
        up=up,
        arm=_along_arm(body, armness),
        leg=leg.astype(np.float32),
        armness=armness,
        neck=(TORSO_LENGTH - 0.03 - 0.75 * ahead - up).astype(np.float32),
        around=np.arctan2(points[:, 0], -(points[:, 1] - centre)).astype(np.float32),
        normals=_normals(points, np.concatenate([template().faces["body"], template().faces["helper-tights"]])),
        scale=scale,
        centre=centre,
        hip=hip,
    )


def _segments(*stems: str) -> list[int]:
    return [index for name, index in SEGMENT.items() if name.partition(".")[0] in stems]


def _along_arm(body: Rest, armness: np.ndarray) -> np.ndarray:
    points = np.abs(body.vertices * [1, 0, 0]) + body.vertices * [0, 1, 1]  # both arms folded onto the left one
    shoulder, elbow, wrist = (body.joints[f"joint-l-{name}"] for name in ("shoulder", "elbow", "hand"))
    upper, lower = elbow - shoulder, wrist - elbow
    first = (points - shoulder) @ upper / (upper @ upper)
    second = (points - elbow) @ lower / (lower @ lower)
    place = np.where(first < 1, np.minimum(first, 1), 1 + np.maximum(second, 0))
    return (armness * place - (1 - armness)).astype(np.float32)


def _normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals [V, 3] float32; zero for vertices without faces."""
    corners = points[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.stack(
        [np.bincount(faces.ravel(), np.repeat(flat[:, axis], 3), minlength=len(points)) for axis in range(3)], axis=1
    )
    return (summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)).astype(np.float32)
