"""Tubes of cloth that hang from the body: shirts, skirts, dresses, coats.

Draped round a posed body; reads and writes nothing. At every height the cloth takes the convex outline of what it must
go round, and falls straight from wider places above: h_k(d) = max(outline_k(d) + ease, h_{k-1}(d) + (flare - slope)
dz), with h the support function in direction d. Legs apart, in a stride, spread a skirt; nothing pokes through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.synped.cloth import stored
from pipeline.datasets.synped.mesh import Mesh, Surface
from pipeline.datasets.synped.piece_kernels import brought_back, supports
from sorn.parts import LOWER_LEG, TORSO, UPPER_LEG

COLUMNS = 48
_STEP = 0.03  # metres between rings
DIRECTIONS = (np.arange(COLUMNS) * 2 * np.pi / COLUMNS).astype(np.float32)  # 0 = ahead, towards +x growing
_UNIT = np.stack([np.sin(DIRECTIONS), -np.cos(DIRECTIONS)], axis=1)
_COSINE = np.cos(DIRECTIONS[None] - DIRECTIONS[:, None])  # [angle, direction]
_AHEAD = _COSINE > 0.2
_COSINE[~_AHEAD] = 1


@dataclass(frozen=True)
class Tube:
    """Tube of cloth that hangs from the body.

    start, end: heights above the hip joints, in metres on the body garments are cut for. ease: metres from what is
    inside. slope: how fast cloth may come in again, metres per metre. flare: how fast it goes out below the waist.
    waves: depth of the hem's folds, metres. open: half angle of the gap at the front.
    """

    surface: Surface
    start: float
    end: float
    ease: float
    slope: float
    flare: float
    waves: float
    open: float
    seed: int


@dataclass(frozen=True)
class Frame:
    """Where the hips are in the posed body.

    hips: [3, 4] transform of the pelvis. centre, hip, knee: rest y of the axis and rest heights, metres. scale: garment
    metres per body metre. twist: shoulders against hips, radians.
    """

    hips: np.ndarray
    centre: float
    hip: float
    knee: float
    scale: float
    twist: float


def drape(tube: Tube, points: np.ndarray, frame: Frame) -> Mesh:
    """Tube of cloth draped round posed points [n, 3].

    The points are those of torso, legs and the clothes beneath, without arms.
    """
    turn, shift = frame.hips[:, :3], frame.hips[:, 3]
    middle = np.array([0, frame.centre, frame.hip], dtype=np.float32)
    moved = (np.ascontiguousarray(array, np.float32) for array in (points, shift, turn.T))
    local = brought_back(*moved, middle)
    rings = max(3, int(np.ceil((tube.start - tube.end) / _STEP)) + 1)
    up = np.linspace(tube.start, tube.end, rings, dtype=np.float32)
    support = _hang(tube, outlines(local, up / frame.scale), up, frame.scale)
    radius = radii(support)
    depth = np.clip((0.05 - up) / max(0.05 - tube.end, 0.1), 0, 1.5)[:, None]
    rng = np.random.default_rng(tube.seed)
    count, start = int(rng.integers(5, 12)), rng.uniform(0, 6.28, 2)
    ripple = np.sin(count * DIRECTIONS + start[0]) + 0.6 * np.sin((count + 3) * DIRECTIONS + start[1])
    radius = radius + tube.waves * depth * (ripple + 0.8)
    flat = radius[:, :, None] * _UNIT[None]
    heights = np.repeat(up[:, None] / frame.scale, COLUMNS, axis=1)
    placed = np.concatenate([flat, heights[..., None]], axis=2).reshape(-1, 3)
    placed = placed + middle
    vertices = (turned(placed, turn) + shift).astype(np.float32)
    angle = DIRECTIONS[None] - frame.twist * np.clip(up / 0.3, 0, 1)[:, None]
    girth = radius[:1] * frame.scale
    coords = np.stack([girth * np.sin(angle), -girth * np.cos(angle), np.repeat(up[:, None], COLUMNS, axis=1)], axis=2)
    return _mesh(tube, vertices, stored(coords.reshape(-1, 3), "torso"), up, frame)


def turned(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """matrix [3, 3] times every point [n, 3], with sums in a fixed order."""
    products: np.ndarray = points[:, :1] * matrix[:, 0] + points[:, 1:2] * matrix[:, 1] + points[:, 2:] * matrix[:, 2]
    return products


def outlines(local: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Support values of points near each height, [R, D] metres.

    points: [n, 3]. The R heights fall; the D directions are DIRECTIONS. A height without points takes the values of the
    ring above.
    """
    half = 0.75 * abs(float(heights[0] - heights[1])) + 0.008
    return supports(np.ascontiguousarray(local, np.float32), heights, half, _UNIT)  # type: ignore[no-any-return]


def _hang(tube: Tube, outline: np.ndarray, up: np.ndarray, scale: float) -> np.ndarray:
    step = float(up[0] - up[1]) / scale
    least = outline + (tube.ease + 0.003) / scale  # the shell above ends just inside
    support = least.copy()
    support[0] = outline[0] + 0.2 * tube.ease / scale  # the top edge hides beneath the shell above
    for index in range(1, len(up)):
        flare = tube.flare if up[index] < 0.1 else 0.0
        support[index] = np.maximum(least[index], support[index - 1] + (flare - tube.slope) * step)
    smooth = support.copy()
    smooth[1:-1] = 0.25 * support[:-2] + 0.5 * support[1:-1] + 0.25 * support[2:]
    return np.maximum(smooth, outline + 0.2 * tube.ease / scale)


def radii(support: np.ndarray) -> np.ndarray:
    """Radius [R, D] of the convex outlines that have these support values."""
    ratio = np.where(_AHEAD[None], support[:, None] / _COSINE[None], np.inf)
    outline: np.ndarray = np.maximum(ratio.min(axis=2), 0.01)
    return outline


def _mesh(tube: Tube, vertices: np.ndarray, coords: np.ndarray, up: np.ndarray, frame: Frame) -> Mesh:
    rows, columns = (grid.ravel() for grid in np.meshgrid(np.arange(len(up) - 1), np.arange(COLUMNS), indexing="ij"))
    middle = DIRECTIONS[columns] + np.pi / COLUMNS
    kept = np.abs((middle + np.pi) % (2 * np.pi) - np.pi) >= tube.open
    rows, columns, middle = rows[kept], columns[kept], middle[kept]
    following = (columns + 1) % COLUMNS
    a, b = rows * COLUMNS + columns, rows * COLUMNS + following
    c, d = a + COLUMNS, b + COLUMNS
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)]).astype(np.int32)
    height = 0.5 * (up[rows] + up[rows + 1])
    part = part_at(height, middle, (frame.knee - frame.hip) * frame.scale)
    count = len(faces)
    return Mesh(
        vertices=vertices,
        faces=faces,
        part=np.concatenate([part, part]),
        surface=np.zeros(count, dtype=np.int16),
        coords=coords,
        smooth=np.ones(count, dtype=bool),
        surfaces=(tube.surface,),
    )


def part_at(height: np.ndarray, angle: np.ndarray, knee: float) -> np.ndarray:
    """Body part beneath a tube, uint8 [n].

    The arguments are heights above the hip joints [n] and angles from the front [n]. The border between torso and upper
    legs runs from the crotch up to the hips' sides, as on the body.
    """
    border = -0.1 + 0.11 * np.abs(np.sin(angle))
    return np.where(height > border, TORSO, np.where(height > knee - 0.03, UPPER_LEG, LOWER_LEG)).astype(np.uint8)
