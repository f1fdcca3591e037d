"""Prints on shirts, as small images made from a seed.

Emblems, lettering, pictures. Reads and writes nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.datasets.synped.elementary import arctan2
from pipeline.datasets.synped.texture import Colour

SIDE = 96  # texels of a print's longer side


@dataclass(frozen=True)
class Print:
    """A print on a garment.

    kind: a key of DRAWERS. width, height: metres. across, up: of its centre, in the garment's own coordinates (metres
    right of the middle seen from outside, metres above the crotch). back: on the back instead of the chest.
    """

    kind: str
    colours: tuple[Colour, ...]
    seed: int
    width: float
    height: float
    across: float = 0.0
    up: float = 0.38
    back: bool = False


@lru_cache(maxsize=128)
def image(design: Print) -> np.ndarray:
    """Image of a print, [SIDE, SIDE, 4] float32.

    Linear RGB and coverage in {0, 1}, row 0 at the top.
    """
    rng = np.random.default_rng(design.seed)
    canvas = np.zeros((SIDE, SIDE, 4), dtype=np.float32)
    DRAWERS[design.kind](rng, canvas, np.array(design.colours, dtype=np.float32))
    return canvas


def paint(design: Print, albedo: np.ndarray, coords: np.ndarray) -> None:
    """Lay the print over albedo [n, 3], in place.

    coords: [n, 3] metres, x to the person's left, -y ahead, z up.
    """
    facing = coords[:, 1] > 0 if design.back else coords[:, 1] < 0
    x = (coords[:, 0] * (-1 if design.back else 1) - design.across) / design.width + 0.5
    y = (design.up - coords[:, 2]) / design.height + 0.5
    inside = facing & (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    texels = image(design)[(y[inside] * SIDE).astype(np.int64), (x[inside] * SIDE).astype(np.int64)]
    cover = texels[:, 3:]
    albedo[inside] = albedo[inside] * (1 - cover) + texels[:, :3] * cover


def _fill(canvas: np.ndarray, where: np.ndarray, colour: np.ndarray) -> None:
    canvas[where, :3] = colour
    canvas[where, 3] = 1.0


def _plane() -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(SIDE) + 0.5) / SIDE
    return np.meshgrid(axis, axis, indexing="ij")


def _lettering(rng: np.random.Generator, canvas: np.ndarray, colours: np.ndarray) -> None:
    """Rows of strokes that look like words from afar."""
    rows = int(rng.integers(1, 5))
    edges = np.linspace(0, SIDE, rows + 1).astype(int)
    for top, bottom in itertools.pairwise(edges):
        height = int((bottom - top) * rng.uniform(0.55, 0.9))
        colour = colours[rng.integers(len(colours))]
        wide = max(4, int(height * rng.uniform(0.5, 0.9)))
        start = int(rng.uniform(0, 0.3) * SIDE) if rows > 1 else 0
        for column in range(start, SIDE - wide, wide + max(2, wide // 4)):
            if rng.uniform() < 0.12:
                continue  # a gap between two words
            blocks = np.kron(rng.uniform(size=(3, 3)) < 0.66, np.ones((height // 3 + 1, wide // 3 + 1)))
            glyph = blocks[:height, :wide] > 0
            where = np.zeros((SIDE, SIDE), dtype=bool)
            where[top : top + glyph.shape[0], column : column + glyph.shape[1]] = glyph
            _fill(canvas, where, colour)


def _emblem(rng: np.random.Generator, canvas: np.ndarray, colours: np.ndarray) -> None:
    """Rings, discs and a star or bar within."""
    y, x = _plane()
    radius, angle = np.hypot(x - 0.5, y - 0.5), arctan2(y - 0.5, x - 0.5)
    _fill(canvas, radius < 0.5, colours[0])
    _fill(canvas, radius < rng.uniform(0.3, 0.46), colours[rng.integers(len(colours))])
    points = int(rng.integers(3, 8))
    star = radius < 0.3 * (0.6 + 0.4 * np.cos(points * angle + rng.uniform(0, 6)))
    _fill(canvas, star, colours[-1])
    if rng.uniform() < 0.4:
        _fill(canvas, np.abs(y - rng.uniform(0.35, 0.65)) < 0.07, colours[rng.integers(len(colours))])


def _picture(rng: np.random.Generator, canvas: np.ndarray, colours: np.ndarray) -> None:
    """A full rectangle of shapes, like a printed photograph or poster."""
    y, x = _plane()
    canvas[..., :3], canvas[..., 3] = colours[0], 1.0
    for _ in range(int(rng.integers(6, 30))):
        cx, cy, rx, ry = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.3), rng.uniform(0.04, 0.3)
        turn = rng.uniform(0, 3.14)
        u, v = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        where = (u / rx) ** 2 + (v / ry) ** 2 < 1 if rng.uniform() < 0.6 else (np.abs(u) < rx) & (np.abs(v) < ry)
        _fill(canvas, where, colours[rng.integers(len(colours))] * rng.uniform(0.6, 1.1))


def _scribble(rng: np.random.Generator, canvas: np.ndarray, colours: np.ndarray) -> None:
    """A loose drawing: one winding line of changing thickness, with blots."""
    y, x = _plane()
    spot = np.array([0.5, 0.5])
    heading = rng.uniform(0, 6.28)
    for _ in range(int(rng.integers(40, 120))):
        heading += rng.normal(0, 0.6)
        spot = np.clip(spot + 0.05 * np.array([np.cos(heading), np.sin(heading)]), 0.06, 0.94)
        thickness = rng.uniform(0.012, 0.05)
        _fill(canvas, np.hypot(x - spot[0], y - spot[1]) < thickness, colours[rng.integers(len(colours))])


def _band(rng: np.random.Generator, canvas: np.ndarray, colours: np.ndarray) -> None:
    """Bars side by side or one above the other."""
    y, x = _plane()
    place = x if rng.uniform() < 0.4 else y
    count = int(rng.integers(2, 7))
    index = np.floor(place * count).astype(int)
    for k in range(0, count, 1 if len(colours) > 2 else 2):
        _fill(canvas, index == k, colours[k % len(colours)])


def _badge(rng: np.random.Generator, canvas: np.ndarray, colours: np.ndarray) -> None:
    """An emblem above one line of lettering."""
    small = np.zeros_like(canvas)
    _emblem(rng, small, colours)
    canvas[: SIDE * 2 // 3, SIDE // 6 : SIDE // 6 + SIDE * 2 // 3] = _shrunk(small)
    words = np.zeros_like(canvas)
    _lettering(rng, words, colours)
    canvas[SIDE * 3 // 4 :] = words[: SIDE - SIDE * 3 // 4]


def _shrunk(canvas: np.ndarray) -> np.ndarray:
    """Two thirds of the size, nearest texel."""
    index = (np.arange(SIDE * 2 // 3) * 1.5).astype(int)
    smaller: np.ndarray = canvas[np.ix_(index, index)]
    return smaller


DRAWERS = {
    "lettering": _lettering,
    "emblem": _emblem,
    "picture": _picture,
    "scribble": _scribble,
    "band": _band,
    "badge": _badge,
}
