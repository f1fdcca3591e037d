"""Poses: limb angles of a person, and transforms of the body segments.

Reads and writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped.body import PARENT, SEGMENT, SEGMENTS, SIDES, Rest, pivot_of
from pipeline.datasets.synped.elementary import norm, product
from pipeline.datasets.synped.mesh_kernels import blend, chained
from pipeline.datasets.synped.piece_kernels import strongest

_BONES = 4  # segments that may pull at one vertex
_STILL = np.eye(3)
_PIVOTS = tuple(pivot_of(name) for name in SEGMENTS)
_PARENTS = np.array([-1 if parent is None else SEGMENT[parent] for parent in (PARENT[name] for name in SEGMENTS)])


@dataclass(frozen=True)
class Arm:
    """Angles in radians.

    swing: upper arm, forward positive. spread: away from the body. bend: of the elbow. inward: the forearm, towards the
    middle of the body. curl: of the fingers, 0 = flat hand.
    """

    swing: float
    spread: float
    bend: float
    inward: float
    curl: float


@dataclass(frozen=True)
class Leg:
    """Angles in radians.

    swing: thigh, forward positive. spread: outward. bend: of the knee. pitch: foot, toes up positive. turn: of the
    foot, outward.
    """

    swing: float
    spread: float
    bend: float
    pitch: float
    turn: float


@dataclass(frozen=True)
class Pose:
    """One moment of a person. left, right: arms and legs.

    lean: forward, bow: sideways, twist: shoulders against hips, nod: head down, glance: head to the person's left;
    radians. held_left, held_right: what is in the hand, "" for nothing, "bag" for the identity's own, "phone" or
    "bottle".
    """

    left_arm: Arm
    right_arm: Arm
    left_leg: Leg
    right_leg: Leg
    lean: float = 0.0
    bow: float = 0.0
    twist: float = 0.0
    nod: float = 0.0
    glance: float = 0.0
    held_left: str = ""
    held_right: str = ""

    def arm(self, side: str) -> Arm:
        return self.left_arm if side == "L" else self.right_arm

    def leg(self, side: str) -> Leg:
        return self.left_leg if side == "L" else self.right_leg

    def held(self, side: str) -> str:
        return self.held_left if side == "L" else self.held_right


def transforms(body: Rest, pose: Pose) -> np.ndarray:
    """Transforms from rest to posed position, [S, 3, 4] float32.

    One rigid transform per segment, in the order of SEGMENTS.
    """
    rotation: dict[str, np.ndarray] = {}
    rotation["pelvis"] = product(_about_x(0.4 * pose.lean), _about_y(0.5 * pose.bow), _about_z(-0.4 * pose.twist))
    rotation["abdomen"] = product(_about_x(0.7 * pose.lean), _about_y(0.8 * pose.bow), _about_z(0.1 * pose.twist))
    rotation["chest"] = product(_about_x(pose.lean), _about_y(pose.bow), _about_z(0.6 * pose.twist))
    rotation["neck"] = product(
        _about_z(0.6 * pose.twist + 0.4 * pose.glance), _about_x(0.8 * pose.lean + 0.5 * pose.nod)
    )
    rotation["head"] = product(_about_z(0.6 * pose.twist + pose.glance), _about_x(0.5 * pose.lean + pose.nod))
    for side, letter, sign in SIDES:
        rotation |= _arm(body, pose.arm(side), rotation["chest"], side, letter, sign)
        rotation |= _leg(body, pose.leg(side), rotation["pelvis"], side, letter, sign)
    return _chain(body, rotation)


def _arm(body: Rest, arm: Arm, chest: np.ndarray, side: str, letter: str, sign: float) -> dict[str, np.ndarray]:
    joint = {name: body.joints[f"joint-{letter}-{name}"] for name in ("shoulder", "elbow", "hand", "hand-3")}
    upper_rest, lower_rest = joint["elbow"] - joint["shoulder"], joint["hand"] - joint["elbow"]
    upper = np.array(
        [sign * np.sin(arm.spread), -np.sin(arm.swing) * np.cos(arm.spread), -np.cos(arm.swing) * np.cos(arm.spread)]
    )
    raised = arm.swing + arm.bend
    lower = np.array([0.6 * sign * np.sin(arm.spread), -np.sin(raised), -np.cos(raised)])
    lower = product(_about_z(-sign * arm.inward), lower)
    upper_turn = product(chest, _between(upper_rest, upper))
    # The lower arm is aimed from where the upper arm has brought it, so that it does not roll about its own axis.
    lower_turn = product(_between(product(upper_turn, lower_rest), product(chest, lower)), upper_turn)
    # The shoulder girdle follows a share of the arm, most of it when the arm is lifted.
    shoulder = product(chest, _power(_between(upper_rest, upper), 0.2))
    axis = _cross(
        body.joints[f"joint-{letter}-finger-2-1"] - joint["hand"],
        body.joints[f"joint-{letter}-finger-5-1"] - joint["hand"],
    )
    fingers = body.joints[f"joint-{letter}-finger-3-2"] - body.joints[f"joint-{letter}-finger-3-1"]
    bend_axis = _cross(axis, fingers) * sign
    knuckles = product(lower_turn, _about(bend_axis, 0.8 * arm.curl))
    fingertips = product(lower_turn, _about(bend_axis, 1.9 * arm.curl))
    return {
        f"shoulder.{side}": shoulder,
        f"upperarm.{side}": upper_turn,
        f"lowerarm.{side}": lower_turn,
        f"hand.{side}": lower_turn,
        f"knuckles.{side}": knuckles,
        f"fingertips.{side}": fingertips,
    }


def _leg(body: Rest, leg: Leg, pelvis: np.ndarray, side: str, letter: str, sign: float) -> dict[str, np.ndarray]:
    hip, knee, ankle = (body.joints[f"joint-{letter}-{name}"] for name in ("upper-leg", "knee", "ankle"))
    upper = np.array(
        [sign * np.sin(leg.spread), -np.sin(leg.swing) * np.cos(leg.spread), -np.cos(leg.swing) * np.cos(leg.spread)]
    )
    back = leg.swing - leg.bend
    lower = np.array(
        [sign * np.sin(leg.spread), -np.sin(back) * np.cos(leg.spread), -np.cos(back) * np.cos(leg.spread)]
    )
    upper_turn = product(_about_z(0.3 * sign * leg.turn), _between(knee - hip, upper))
    lower_turn = product(_between(product(upper_turn, ankle - knee), lower), upper_turn)
    # The rest pose has flat soles and toes pointing out a little: the foot is set in the world, not after the shin.
    heading = body.joints[f"joint-{letter}-foot-1"] - ankle
    outward = math.atan2(sign * heading[0], -heading[1])
    foot_turn = product(_about_z(sign * (leg.turn - outward)), _about_x(-leg.pitch))
    toes_turn = product(_about_z(sign * (leg.turn - outward)), _about_x(-max(leg.pitch, 0.4 * leg.pitch)))
    return {
        f"upperleg.{side}": upper_turn,
        f"lowerleg.{side}": lower_turn,
        f"foot.{side}": foot_turn,
        f"toes.{side}": toes_turn,
    }


def _chain(body: Rest, rotation: dict[str, np.ndarray]) -> np.ndarray:
    """Rotations in the world -> transforms, each segment hung on its parent at the joint they share."""
    rotations = np.stack([rotation[name] for name in SEGMENTS])
    pivots = np.stack([body.joints[joint] for joint in _PIVOTS]).astype(np.float64)
    return chained(rotations, pivots, _PARENTS)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Skinned:
    """Rest vertices with their strongest segments.

    Vertices [n, 3] float32; for each its _BONES strongest segments [n, _BONES] and their weights, which add up to 1.
    """

    vertices: np.ndarray
    segments: np.ndarray
    weights: np.ndarray


def bind(vertices: np.ndarray, weights: np.ndarray) -> Skinned:
    """Prepare [n, 3] vertices with weights [n, S] for `skin`."""
    segments = strongest(np.ascontiguousarray(weights, np.float32), _BONES)
    kept = np.take_along_axis(weights, segments, axis=1)
    return Skinned(vertices, segments, kept / kept.sum(axis=1, keepdims=True))


def skin(skinned: Skinned, transform: np.ndarray) -> np.ndarray:
    """Linear blend skinning with transforms [S, 3, 4] -> [n, 3] float32."""
    return blend(skinned.vertices, skinned.segments, skinned.weights, transform)  # type: ignore[no-any-return]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of two single vectors, ten times as fast as numpy's general one."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _about_x(angle: float) -> np.ndarray:
    """Positive tips the top forward, towards -y."""
    return np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle) * -1], [0, np.sin(angle), np.cos(angle)]])


def _about_y(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])


def _about_z(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def _about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula."""
    x, y, z = axis / norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: np.ndarray = _STILL + np.sin(angle) * cross + product((1 - np.cos(angle)) * cross, cross)
    return rotation


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation that turns the direction `start` into the direction `end`."""
    a, b = start / norm(start), end / norm(end)
    axis = _cross(a, b)
    sine = norm(axis)
    if sine < 1e-6:
        return _STILL
    return _about(axis, math.atan2(sine, product(a, b)))


def _power(rotation: np.ndarray, share: float) -> np.ndarray:
    """A share of a rotation about its own axis."""
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    if norm(axis) < 1e-6:
        return _STILL
    return _about(axis, share * math.atan2(norm(axis), np.trace(rotation) - 1))
