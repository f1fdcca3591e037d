"""Cloth: appearance of one garment as a function of garment coordinates.

Reads and writes nothing. Garment coordinates are metres on the body that garments are cut for: x to the wearer's left,
-y ahead, z above the hip joints. On sleeves x and y cross the arm, and z is minus the distance from the shoulder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.datasets.synped import prints
from pipeline.datasets.synped.elementary import arctan2
from pipeline.datasets.synped.mesh import Surface
from pipeline.datasets.synped.prints import Print
from pipeline.datasets.synped.texture import Colour, Fabric, lookup, tile, waves

# Where cloth is wrapped round -> radius in metres that turns an angle into a width of cloth.
_RADIUS = {"torso": 0.17, "sleeve": 0.055, "legs": 0.09}
# Folds are longer than wide on the body and legs, wider than long on sleeves. The bump of a Surface has no
# direction, so heights are stored multiplied by this.
_FOLD_STRETCH = {"torso": 0.45, "sleeve": 1.5, "legs": 0.6}
LEG_AXIS = 0.105  # metres from the middle of the body to the axis of a leg


@dataclass(frozen=True)
class Cloth:
    """Appearance of one garment.

    fabric: the ground. bands: (from, to, fabric) in metres above the hip joints, laid over it. prints: over both.
    closure: "" | "buttons" | "zip" | "placket" down the front, of `closure_colour`. stripe: colour down the outer side
    of legs. fade: how much the thighs of jeans are bleached. shade: relative depth of the large folds. seed: of the
    positions of folds. bump, bump_scale, gloss: as in Surface.
    """

    fabric: Fabric
    bands: tuple[tuple[float, float, Fabric], ...] = ()
    prints: tuple[Print, ...] = ()
    closure: str = ""
    closure_colour: Colour = (0.02, 0.02, 0.02)
    stripe: Colour | None = None
    pockets: bool = False
    fade: float = 0.0
    shade: float = 0.12
    seed: int = 0
    bump: float = 0.16
    bump_scale: float = 0.06
    gloss: float = 0.0


def stored(coords: np.ndarray, wrap: str) -> np.ndarray:
    """Garment coordinates [..., 3] -> what a mesh carries as `coords`."""
    scaled: np.ndarray = (coords * np.array([1, 1, _FOLD_STRETCH[wrap]])).astype(np.float32)
    return scaled


def surface(cloth: Cloth, wrap: str) -> Surface:
    """Surface of a garment's cloth.

    wrap: "torso", "sleeve" or "legs".
    """
    return Surface(partial(_albedo, cloth, wrap), cloth.bump, cloth.bump_scale, cloth.gloss)


def plain_surface(colour: Colour, bump: float = 0.0, gloss: float = 0.0, spread: float = 0.06) -> Surface:
    """One colour with a little soft variation."""
    return Surface(partial(_plain, colour, spread), bump, 0.04, gloss)


def shoe_surface(upper: Colour, sole: Colour, accent: Colour, sporty: bool) -> Surface:
    """Upper and sole; sporty ones have emblem, heel patch and laces.

    Coordinates: rest pose, y from the ankle.
    """
    return Surface(partial(_shoe, upper, sole, accent, sporty), 0.03, 0.03, 0.04)


def _shoe(upper: Colour, sole: Colour, accent: Colour, sporty: bool, coords: np.ndarray) -> np.ndarray:
    albedo = _plain(upper, 0.06, coords)
    y, z = coords[:, 1], coords[:, 2]
    if sporty:
        albedo[(z < 0.06) & (np.abs(y + 0.03 + 0.5 * z) < 0.014)] = accent
        albedo[(z > 0.05) & (y < -0.03) & ((y % 0.018) < 0.007)] = 0.6
        albedo[(z > 0.075) & (y > 0.02)] = accent
    albedo[z < 0.014] = sole
    return albedo


def _plain(colour: Colour, spread: float, coords: np.ndarray) -> np.ndarray:
    tone = 1 + spread * waves(coords, 0.06, 11, 4)
    return np.clip(np.asarray(colour, dtype=np.float32) * tone[:, None], 0, 1).astype(np.float32)


def _albedo(cloth: Cloth, wrap: str, coords: np.ndarray) -> np.ndarray:
    coords = coords / np.array([1, 1, _FOLD_STRETCH[wrap]], dtype=np.float32)
    across, front = _unroll(coords, wrap)
    height = coords[:, 2]
    albedo = _woven(cloth.fabric, across, height)
    for low, high, fabric in cloth.bands:
        rows = (height >= low) & (height < high)
        albedo[rows] = _woven(fabric, across[rows], height[rows])
    if wrap == "legs":
        _finish_legs(cloth, albedo, coords, across, front)
    elif wrap == "torso":
        _finish_front(cloth, albedo, coords)
    for design in cloth.prints if wrap != "sleeve" else ():
        prints.paint(design, albedo, coords)
    tone = 1 + cloth.shade * _folds(cloth.seed, wrap, coords)
    return np.clip(albedo * tone[:, None], 0, 1).astype(np.float32)


def _folds(seed: int, wrap: str, coords: np.ndarray) -> np.ndarray:
    """[n], about unit spread: folds run down the body, across sleeves, and gather at crotch, knee and ankle."""
    if wrap == "legs":
        height = coords[:, 2]
        gathers = sum(np.exp(-(((height - place) / 0.09) ** 2)) for place in (-0.08, -0.45, -0.82))
        creases = waves(coords * np.array([1.0, 1.0, 2.4], dtype=np.float32), 0.09, seed)
        return 0.25 * waves(coords, 0.2, seed + 1) + (0.15 + 0.7 * gathers) * creases
    stretch = np.array([1.0, 1.0, 0.45 if wrap == "torso" else 1.6], dtype=np.float32)
    return 0.5 * waves(coords * stretch, 0.13, seed) + 0.3 * waves(coords, 0.05, seed + 1)


def _unroll(coords: np.ndarray, wrap: str) -> tuple[np.ndarray, np.ndarray]:
    """-> (metres around from the middle of the front, or of the back; front [n] bool). Seams run down both sides."""
    x, y = coords[:, 0], coords[:, 1]
    if wrap == "legs":
        x = np.where(coords[:, 2] < -0.02, x - np.sign(x) * LEG_AXIS, x)
    front = y < 0
    angle = arctan2(x, np.abs(y) + 1e-6)
    return angle * _RADIUS[wrap] + np.where(front, 0.0, 0.57), front


def _woven(fabric: Fabric, across: np.ndarray, height: np.ndarray) -> np.ndarray:
    albedo = lookup(tile(fabric), across, -height, fabric.period)
    if fabric.heather:
        grain = np.sin(across * 2311.0 + np.sin(height * 1987.0) * 3.0) * np.sin(height * 1559.0 + 1.3)
        albedo = albedo * (1 + fabric.heather * grain)[:, None].astype(np.float32)
    return albedo.astype(np.float32)


def _finish_legs(cloth: Cloth, albedo: np.ndarray, coords: np.ndarray, across: np.ndarray, front: np.ndarray) -> None:
    """Bleached thighs, side seams or stripes, fly and pockets, in place."""
    x, height = coords[:, 0], coords[:, 2]
    if cloth.fade:
        thigh = np.exp(-(((height + 0.22) / 0.14) ** 2)) + 0.5 * np.exp(-(((height + 0.55) / 0.12) ** 2))
        thigh = thigh * np.exp(-((across / 0.06) ** 2)) * np.where(front, 1.0, 0.0) + 0.5 * np.exp(
            -(((height + 0.1) / 0.1) ** 2)
        ) * np.where(front, 0.0, 1.0)
        thigh = np.clip(thigh * (1 + 0.15 * waves(coords, 0.02, cloth.seed + 2)), 0, 1) * cloth.fade
        albedo += (np.array([0.55, 0.6, 0.68], dtype=np.float32) - albedo) * thigh[:, None].astype(np.float32)
    outer = np.abs(coords[:, 1]) < 0.018
    outer &= np.abs(x) > LEG_AXIS
    if cloth.stripe is not None:
        albedo[outer] = cloth.stripe
    else:
        albedo[outer & (np.abs(coords[:, 1]) < 0.004)] *= 0.7
    if cloth.pockets:
        line = front & (height > 0.0) & (np.abs(np.abs(x) - 0.06 - 0.5 * (0.09 - height)) < 0.004) & (height < 0.09)
        back = ~front & (np.abs(np.abs(x) - 0.08) < 0.055) & (np.abs(height + 0.02) < 0.06)
        rim = back & (
            (np.abs(np.abs(np.abs(x) - 0.08) - 0.052) < 0.004) | (np.abs(np.abs(height + 0.02) - 0.057) < 0.004)
        )
        fly = front & (np.abs(x) < 0.004) & (height > -0.06)
        albedo[line | rim | fly] *= 0.6


def _finish_front(cloth: Cloth, albedo: np.ndarray, coords: np.ndarray) -> None:
    """Button line, zip or placket down the front, in place."""
    x, height = coords[:, 0], coords[:, 2]
    front = coords[:, 1] < 0
    if cloth.closure == "zip":
        albedo[front & (np.abs(x) < 0.006)] = cloth.closure_colour
    elif cloth.closure in ("buttons", "placket"):
        rows = front & (height > (0.33 if cloth.closure == "placket" else -2.0))
        albedo[rows & (np.abs(np.abs(x) - 0.016) < 0.0025)] *= 0.7
        button = rows & (np.hypot(x, (height % 0.085) - 0.0425) < 0.0065)
        albedo[button] = cloth.closure_colour
    if cloth.pockets:
        edge = np.maximum(np.abs(x - 0.075) - 0.04, np.abs(height - 0.33) - 0.045)
        albedo[front & (np.abs(edge) < 0.003)] *= 0.75
