"""Gestures: poses of people who walk, stand, carry or hold a phone.

Reads and writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pipeline.datasets.synped.pose import Arm, Leg, Pose


def draw_walk(rng: np.random.Generator) -> tuple[Leg, Leg, float]:
    """Legs at a random moment of a walk, and the arm swing.

    The swing is that of such a stride (left forward positive).
    """
    phase, stride = rng.uniform(), rng.uniform(0.6, 1.15)
    spread, turn = rng.uniform(0.0, 0.05), rng.uniform(0.0, 0.25)
    left, right = (_stepping((phase + shift) % 1.0, stride, spread, turn) for shift in (0.0, 0.5))
    return left, right, -stride * np.cos(2 * np.pi * phase)


def draw_gesture(rng: np.random.Generator, bag_side: str, backpack: bool) -> Pose:
    """Walking or standing, arms as people hold them.

    bag_side: the hand that bears a bag, "L", "R" or "".
    """
    walking = bool(rng.uniform() < 0.7)
    if walking:
        left_leg, right_leg, stride = draw_walk(rng)
    else:
        spread, relaxed = rng.uniform(0.0, 0.12), rng.uniform(0, 0.25)
        legs = [Leg(float(rng.normal(0, 0.05)), spread, 0.05, 0.0, rng.uniform(0.05, 0.35)) for _ in range(2)]
        which = int(rng.integers(2))
        legs[which] = replace(legs[which], swing=legs[which].swing + relaxed, bend=0.05 + 1.5 * relaxed)
        (left_leg, right_leg), stride = legs, 0.0
    arms = {"L": _draw_arm(rng, stride), "R": _draw_arm(rng, -stride)}
    held = {"L": "", "R": ""}
    gesture = rng.choice(["", "phone", "bottle", "pockets", "crossed", "front"], p=[0.72, 0.08, 0.04, 0.07, 0.04, 0.05])
    side = str(rng.choice(["L", "R"]))
    if gesture in ("phone", "bottle"):
        arms[side] = Arm(
            rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.2), rng.uniform(1.5, 2.1), rng.uniform(0.1, 0.6), 0.5
        )
        held[side] = str(gesture)
    elif gesture == "pockets":
        for each in ("L", "R") if rng.uniform() < 0.7 else (side,):
            arms[each] = Arm(
                rng.uniform(-0.3, -0.1), rng.uniform(0.25, 0.4), rng.uniform(0.5, 0.8), rng.uniform(0.3, 0.6), 0.2
            )
    elif gesture in ("crossed", "front"):
        bend = rng.uniform(1.3, 1.6) if gesture == "crossed" else rng.uniform(0.8, 1.3)
        for each in ("L", "R"):
            arms[each] = Arm(rng.uniform(0.1, 0.35), rng.uniform(0.05, 0.2), bend, rng.uniform(0.9, 1.3), 0.3)
    if bag_side:
        arms[bag_side] = Arm(rng.uniform(-0.1, 0.15), rng.uniform(0.12, 0.22), rng.uniform(0.05, 0.3), 0.0, 0.8)
        held[bag_side] = "bag"
    elif backpack and rng.uniform() < 0.12:  # a hand on the strap
        arms[side] = Arm(
            rng.uniform(0.1, 0.3), rng.uniform(0.15, 0.3), rng.uniform(2.0, 2.3), rng.uniform(0.1, 0.4), 0.7
        )
        held[side] = ""
    return Pose(
        left_arm=arms["L"],
        right_arm=arms["R"],
        left_leg=left_leg,
        right_leg=right_leg,
        lean=float(rng.normal(0.05 if walking else 0.02, 0.04)),
        bow=float(rng.normal(0, 0.02)),
        twist=float(-0.12 * stride + rng.normal(0, 0.08)),
        nod=float(rng.normal(0.08, 0.14)),
        glance=float(rng.normal(0, 0.3)),
        held_left=held["L"],
        held_right=held["R"],
    )


def _draw_arm(rng: np.random.Generator, stride: float) -> Arm:
    swing = 0.32 * stride + rng.normal(0, 0.06)
    bend = 0.25 + 0.25 * max(0.0, stride) + abs(rng.normal(0, 0.12))
    return Arm(
        float(swing),
        float(rng.uniform(0.03, 0.16)),
        float(bend),
        float(rng.uniform(0, 0.25)),
        float(rng.uniform(0.2, 0.7)),
    )


def _stepping(phase: float, stride: float, spread: float, turn: float) -> Leg:
    """One leg; phase 0 = heel strike, 0 to 0.6 on the ground, then in the air. Curves follow textbook gait plots."""

    def bump(centre: float, width: float) -> float:
        distance = (phase - centre + 0.5) % 1.0 - 0.5
        return math.exp(-((distance / width) ** 2))

    swing = np.radians(5 + 22 * stride * np.cos(2 * np.pi * phase))
    bend = np.radians(6 + 12 * bump(0.15, 0.09) + 52 * stride * bump(0.72, 0.13))
    pitch = np.radians(stride * (16 * bump(0.0, 0.06) - 32 * bump(0.62, 0.1) - 14 * bump(0.75, 0.08)))
    return Leg(float(swing), spread, float(bend), float(pitch), turn)
